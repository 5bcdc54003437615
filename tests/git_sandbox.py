"""Runs the commands of the git fixtures in scratch repositories.

`GitSandbox` creates a base repository with every file and text that the commands name. A command's reference determines what
else it needs (`git_needs.Needs`: branches, remotes, a conflict in progress …). Each distinct need has a template, which is
copied for each command that changes something. Nothing outside the given folder is read or written.
"""

import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from git_needs import HASH, Needs, named_in, needs_of, only_reads

HERE = "sandbox-work"  # the branch checked out, a name no request uses
DEPTH = 24  # commits that HEAD~N may count back over


@dataclass(frozen=True)
class Effect:
    """The effect of a command; commands with equal effects are interchangeable."""

    exit_code: int
    """The command's exit code."""
    output: str
    """Standard output for a command that only reads, else empty."""
    error: str
    """Standard error; it is not compared."""
    state: tuple[str, ...]
    """Refs, HEAD, status, stash, configuration and folders afterwards; empty for a command that only reads."""

    def same_as(self, other: "Effect") -> bool:
        """Whether both commands had the same effect."""
        return (self.exit_code, self.output, self.state) == (other.exit_code, other.output, other.state)


class GitSandbox:
    """Runs commands in scratch repositories below one folder."""

    def __init__(self, root: Path, commands: Iterable[str]) -> None:
        self.root = root
        self.commits: dict[str, str] = {}
        self._templates: dict[Needs, Path] = {}
        self._locks: dict[Needs, threading.Lock] = {}
        self._lock = threading.Lock()
        self._copies = 0
        self._build_base(list(commands))

    def run(self, command: str, reference: str, section: str) -> Effect:
        """Run a command in the state that its row's reference needs, and return its effect."""
        needs = needs_of(reference, section)
        template = self._template(needs)
        reads = only_reads(reference)
        place = template if reads else self._copy(template)
        if not reads:  # a template's is already written, and may be in use
            self._write_global_config(place, needs)
        side = "cherry-pick" in reference
        argv = [self._with_real_hash(arg, side=side) for arg in shlex.split(command)]
        done = self._git(place, argv[1:], folder="empty" if needs.outside else "work")
        state = () if reads else self._state(place)
        if not reads:
            shutil.rmtree(place)
        return Effect(done.returncode, done.stdout if reads else "", done.stderr, state)

    def _with_real_hash(self, arg: str, *, side: bool) -> str:
        # The fixtures' hashes do not exist in a scratch repository, so a real commit replaces them.
        if " " in arg or "://" in arg or arg.startswith("git@"):
            return arg
        return HASH.sub(self.commits["side" if side else "known"][:10], arg)

    def _git(self, place: Path, args: list[str], folder: str = "work") -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "GIT_CONFIG_GLOBAL": str(place / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": str(place),
            "GIT_EDITOR": "true",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_DATE": "2024-05-02T10:00:00Z",
            "GIT_COMMITTER_DATE": "2024-05-02T10:00:00Z",
            "GIT_TEMPLATE_DIR": "",
            "LC_ALL": "C.UTF-8",
        }
        return subprocess.run(
            ["git", *args],
            cwd=place / folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def _must(self, place: Path, *args: str, folder: str = "work") -> str:
        done = self._git(place, list(args), folder)
        if done.returncode:
            raise RuntimeError(f"Building a scratch repository failed at {shlex.join(args)!r}: {done.stderr}")
        return done.stdout.strip()

    def _write_global_config(self, place: Path, needs: Needs) -> None:
        text = "[user]\n\tname = Sandbox\n\temail = sandbox@example.com\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n"
        text += "[advice]\n\tdetachedHead = false\n"
        text += (
            "[core]\n\ttrustctime = false\n"  # linking a file elsewhere changes its ctime, even while a command runs
        )
        if needs.url:
            text += f'[url "file://{place}/remote.git"]\n\tinsteadOf = "{needs.url}"\n'
        write(place / "gitconfig", text)

    def _build_base(self, commands: list[str]) -> None:
        place = self.root / "base"
        for folder in ("work", "empty"):
            (place / folder).mkdir(parents=True)
        self._write_global_config(place, Needs())
        self._must(place, "init", "-b", "main")
        files, texts, authors = named_in(commands)
        for version in ("first", "second"):
            for name in sorted({*files, "shared.txt"}):
                write(place / "work" / name, "".join(f"{version} {name} {n}\n" for n in range(400)))
            write(place / "work" / "texts.txt", "\n".join([version, *(texts if version == "second" else [])]) + "\n")
            self._must(place, "add", "-A")
            self._must(place, "commit", "-m", f"{version}\n\n" + "\n".join(texts))
        for author in authors:
            self._must(place, "commit", "--allow-empty", "-m", "Work", f"--author={author} <someone@example.com>")
        for number in range(DEPTH):
            write(place / "work" / "steps" / f"{number}.txt", f"{number}\n")
            self._must(place, "add", "-A")
            self._must(place, "commit", "-m", f"Step {number}")
        self._must(place, "branch", HERE)
        for branch, start in (("side", "HEAD~2"), ("conflict", "HEAD~2"), ("ahead", HERE)):
            self._must(place, "switch", "-c", branch, start)
            write(place / "work" / ("shared.txt" if branch == "conflict" else f"{branch}.txt"), f"{branch}\n")
            self._must(place, "add", "-A")
            self._must(place, "commit", "-m", f"Add {branch}")
        self._must(place, "switch", "main")
        self._must(place, "reset", "--hard", "HEAD~1")
        for name, revision in {"side": "side", "ahead": "ahead", "merged": "main", "known": f"{HERE}~1"}.items():
            self.commits[name] = self._must(place, "rev-parse", revision)
        self._must(place, "switch", HERE)
        self._must(place, "tag", "base-0", "HEAD~2")
        self._must(place, "-c", "gc.reflogExpire=never", "gc", "--quiet")  # the fixed dates are long past
        self._must(place, "clone", "--bare", "--quiet", "work", "remote.git", folder=".")
        self._must(place, "update-ref", f"refs/heads/{HERE}", f"{HERE}~1", folder="remote.git")
        for branch in ("side", "ahead"):
            self._must(place, "branch", "-D", branch)

    def _template(self, needs: Needs) -> Path:
        with self._lock:
            lock = self._locks.setdefault(needs, threading.Lock())
        with lock:
            if needs not in self._templates:
                place = self._copy(self.root / "base")
                self._write_global_config(place, needs)
                self._furnish(place, needs)
                self._templates[needs] = place
            return self._templates[needs]

    def _copy(self, source: Path) -> Path:
        with self._lock:
            self._copies += 1
            place = self.root / f"copy-{self._copies}"
        shutil.copytree(source, place, copy_function=link_or_copy)
        return place

    def _furnish(self, place: Path, needs: Needs) -> None:
        """Add refs, remotes and a situation to a copy of the base repository."""
        work, git = place / "work", place / "work" / ".git"
        config = f'[branch "{HERE}"]\n\tremote = origin\n\tmerge = refs/heads/{HERE}\n'
        for remote in sorted(needs.remotes):
            config += f'[remote "{remote}"]\n\turl = ../remote.git\n\tfetch = +refs/heads/*:refs/remotes/{remote}/*\n'
        edit(git / "config", config)
        write(git / "refs" / "remotes" / "origin" / HERE, self.commits["known"] + "\n")
        for ref in needs.absent:
            self._must(place, "update-ref", "-d", ref)
        for ref, at in needs.refs:
            write(git / ref, self.commits[at] + "\n")
        for ref in needs.remote_refs:
            write(place / "remote.git" / ref, self.commits["merged"] + "\n")
        for name in needs.edited:
            edit(work / name)
        if needs.moved_to:
            target = work / needs.moved_to
            if target.is_file():
                self._must(place, "rm", "--quiet", needs.moved_to)
                self._must(place, "commit", "--quiet", "-m", "Make room")
            (target if needs.moved_to.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
        if needs.key and self._git(place, ["config", needs.key]).returncode:
            self._must(place, "config", needs.key, "true")
        self._arrange(place, needs)

    def _arrange(self, place: Path, needs: Needs) -> None:
        work = place / "work"
        match needs.situation.split():
            case [("merge" | "rebase" | "cherry-pick") as sub, "conflict", *resolved]:
                edit(work / "shared.txt")
                self._must(place, "commit", "-am", "Edit shared")
                self._git(place, [sub, "conflict"])
                if resolved:
                    write(work / "shared.txt", "resolved\n")
                    self._must(place, "add", "shared.txt")
            case ["stashes", count]:
                for number in range(int(count)):
                    edit(work / "shared.txt", f"stashed {number}\n")
                    self._must(place, "stash")
            case ["bisect"]:
                self._must(place, "bisect", "start")
            case ["remote", "ahead"]:
                write(place / "remote.git" / "refs" / "heads" / HERE, self.commits["ahead"] + "\n")
            case ["rewritten"]:
                for git in (work / ".git" / "refs" / "remotes" / "origin", place / "remote.git" / "refs" / "heads"):
                    write(git / HERE, self.commits["side"] + "\n")
            case ["edited"]:
                edit(work / "shared.txt")
            case ["staged"]:
                edit(work / "shared.txt")
                self._must(place, "add", "-A")
            case ["changes"]:
                edit(work / "texts.txt")
                self._must(place, "add", "-A")
                edit(work / "shared.txt")
                (work / "steps" / "0.txt").unlink()
                write(work / "untracked.txt", "new\n")
                write(work / "untracked" / "folder.txt", "new\n")

    def _state(self, place: Path) -> tuple[str, ...]:
        git = place / "work" / ".git"
        stash = git / "logs" / "refs" / "stash"
        kept = [git / "config", place / "gitconfig", git / "HEAD", stash, git / "BISECT_LOG"]
        made = sorted((place / "empty").rglob("*"))
        texts = [path.read_text().replace(str(place), "") if path.exists() else "" for path in kept]
        return (
            self._must(place, "for-each-ref"),
            self._must(place, "for-each-ref", folder="remote.git"),
            self._must(place, "status", "--porcelain", "-uall"),
            *texts,
            " ".join(sorted(path.name for path in git.glob("*_HEAD") if path.name not in {"ORIG_HEAD", "FETCH_HEAD"})),
            " ".join(sorted(path.name for path in [*place.iterdir(), *made] if "objects" not in path.parts)),
            *(path.read_text() for path in made if path.name == "shallow"),
        )


def link_or_copy(source: str, target: str) -> str:
    """Link files that git and this module only replace as a whole, and copy files that git may append to."""
    if "/.git/" in source and "/objects/" not in source:
        shutil.copy2(source, target)  # git compares the index's own time with the files' times
    else:
        os.link(source, target)
    return target


def write(path: Path, text: str) -> None:
    """Replace a text file, which may be a link shared with other copies, and create its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)


def edit(path: Path, line: str = "edited\n") -> None:
    """Add a line to a file."""
    write(path, path.read_text() + line)
