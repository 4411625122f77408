"""Map the four top-level folders onto castiron.* subpackages."""

from setuptools import find_packages, setup

FOLDERS = ("actors", "transport", "store", "cli")

packages = ["castiron", *(f"castiron.{sub}" for sub in find_packages("castiron", include=["testing*"]))]
package_dir = {"castiron": "castiron"}
for folder in FOLDERS:
    package_dir[f"castiron.{folder}"] = folder
    packages.append(f"castiron.{folder}")
    packages += [f"castiron.{folder}.{sub}" for sub in find_packages(folder)]

setup(packages=packages, package_dir=package_dir)
