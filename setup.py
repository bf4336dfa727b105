"""Puts s2sft_startup.pth beside the installed modules; all metadata is in setup.cfg."""

import os

from setuptools import setup
from setuptools.command.build_py import build_py

STARTUP_HOOK = "s2sft_startup.pth"


class BuildWithStartupHook(build_py):
    """setuptools has no option for a file at the root of site-packages; this step knows that root."""

    def run(self) -> None:
        super().run()
        root = self.get_finalized_command("install").install_lib if self.editable_mode else self.build_lib
        self.mkpath(root)
        self.copy_file(STARTUP_HOOK, os.path.join(root, STARTUP_HOOK))


setup(cmdclass={"build_py": BuildWithStartupHook})
