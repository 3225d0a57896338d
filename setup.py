"""The packages of the wheel; everything else about the project is in pyproject.toml.

In the clone, app.py, pages/, data/, static/ and the server's settings are next to the packages,
where `streamlit run app.py` and readers look for them. In the wheel they are inside the packages,
so that only two packages go into site-packages.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["gpt_core*", "dashboard*"]),
        *("dashboard.site", "dashboard.site.pages", "gpt_core.data"),
    ],
    package_dir={
        "dashboard.site": ".",
        "dashboard.site.pages": "pages",
        "gpt_core.data": "data",
    },
    package_data={
        "dashboard": ["*.svg"],
        "dashboard.classroom": ["*.html"],
        "dashboard.components": ["*/*.js", "*/*.css"],
        "dashboard.ui": ["*.css"],
        "dashboard.site": [".streamlit/config.toml", "static/.gitkeep"],
        "gpt_core.data": ["*.txt", "*.json", "*.tiktoken", "*.md"],
    },
    exclude_package_data={"gpt_core.data": ["the-verdict.txt"]},  # downloaded, not ours
)
