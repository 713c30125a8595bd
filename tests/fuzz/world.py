"""A copy of the project to damage, and what has changed in it."""

import os
import shutil
import stat
from pathlib import Path


class World:
    """A copy of a project, deep in a folder of which all else must stay as it is."""

    def __init__(self, pristine, base):
        self.pristine, self.base = pristine, base
        self.folder = base / "a" / "b" / "c" / "d" / "project"
        shutil.copytree(pristine, self.folder, symlinks=True)
        self.seen = self.state()

    def state(self):
        """Size and moment of every file, the mode of all else, below and beside the project."""
        found, pending = {}, [self.base]
        while pending:
            for entry in os.scandir(pending.pop()):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    pending.append(entry.path)
                is_file = stat.S_ISREG(status.st_mode)
                told = (status.st_size, status.st_mtime_ns) if is_file else status.st_mode
                found[Path(entry.path)] = told
        return found

    def restore(self):
        """Undo all that was changed."""
        now = self.state()
        if now == self.seen:
            return
        for path in sorted(now, reverse=True):
            if path not in self.seen or (now[path] != self.seen[path] and not path.is_dir()):
                path.rmdir() if stat.S_ISDIR(path.lstat().st_mode) else path.unlink()
        for path in sorted(self.seen):
            if now.get(path) == self.seen[path] or not path.is_relative_to(self.folder):
                continue
            source = self.pristine / path.relative_to(self.folder)
            if source.is_dir():
                path.mkdir(exist_ok=True)
                continue
            if path.is_dir():
                shutil.rmtree(path)
            shutil.copy2(source, path)
        self.seen = self.state()
