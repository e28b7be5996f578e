"""The paper itself: the authors' files and models, their claims, and the comparison with ours."""
