# The workbook on a CPU, as a user without privileges; JupyterLab opens on port 8888.
#   docker build -t spinode . && docker run --rm -p 8888:8888 spinode
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 reader

WORKDIR /home/reader/spinode
COPY --chown=reader:reader . .
RUN chown reader:reader /home/reader/spinode
USER reader

# The CPU build of PyTorch: the default one brings gigabytes of CUDA.
RUN git config --global --add safe.directory /home/reader/spinode \
    && make install PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"
ENV PATH="/home/reader/spinode/.venv/bin:$PATH"

EXPOSE 8888
CMD ["spinode", "lab", "--ip=0.0.0.0", "--no-browser"]
