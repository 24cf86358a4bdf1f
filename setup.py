"""What `setup.cfg` cannot say: `conf/` and `data/` stay at the top of the repository and are carried in the wheel."""

from setuptools import find_packages, setup

# Inside the package, so that `mov_ai.shipped_files` finds them wherever a wheel is installed.
SHIPPED = {
    "mov_ai.share.conf": "conf",
    "mov_ai.share.data.graphs": "data/graphs",
    "mov_ai.share.data.labels": "data/labels",
    "mov_ai.share.data.layouts": "data/layouts",
    "mov_ai.share.data.layouts.unseen": "data/layouts/unseen",
    "mov_ai.share.data.prompts": "data/prompts",
    "mov_ai.share.data.prompts.real": "data/prompts/real",
    "mov_ai.share.data.prompts.unseen": "data/prompts/unseen",
    "mov_ai.share.data.temporal": "data/temporal",
}

setup(packages=[*find_packages(include=["mov_ai", "mov_ai.*"]), *SHIPPED], package_dir=SHIPPED)
