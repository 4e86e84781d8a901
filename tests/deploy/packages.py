"""Packages of byway of a higher version."""

import re
import shutil

from chroot import run


def again(package, work, higher=1, change=None):
    """The same of a revision that is `higher`, without compiling it once more; change(tree) may change what is in it."""
    tree = work / f"again-{higher}"
    run("dpkg-deb", "-R", str(package), str(tree))
    control = tree / "DEBIAN/control"
    text, changed = re.subn(r"^(Version: .*-)(\d+)$", lambda match: f"{match[1]}{int(match[2]) + higher}", control.read_text(), flags=re.MULTILINE)
    assert changed == 1
    control.write_text(text)
    if change:
        change(tree)
    made = work / f"again-{higher}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-b", str(tree), str(made))
    shutil.rmtree(tree)
    return made
