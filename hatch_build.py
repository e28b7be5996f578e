"""Where the workbook itself is installed (``pip install --editable``), JupyterLab opens its texts.

A double click then opens a text notebook as a notebook, whatever starts JupyterLab. A wheel brings
nothing of the kind: whoever only uses the package keeps their JupyterLab as it is.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SETTINGS = "spinode/workflow/jupyterlab.json"
# Of the environment; JupyterLab merges all files of this folder.
_TARGET = "etc/jupyter/labconfig/default_setting_overrides.d/spinode.json"


class WorkbookHook(BuildHookInterface):
    """Adds JupyterLab's defaults to an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them, if ``version`` is ``editable``."""
        if version == "editable":
            build_data["shared_data"][_SETTINGS] = _TARGET
