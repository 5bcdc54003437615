"""Promote a model: gather the evidence, keep the report, append the entry."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from distilltest.config import Config
from distilltest.data.stored import restore
from distilltest.data.whole_files import file_fingerprint, write_whole
from distilltest.errors import PromotionsError
from distilltest.evaluations.results import RunInfo
from distilltest.gate import Status, combine
from distilltest.promotion import NAME, identity
from distilltest.promotion.entry import PROMOTE, ROLL_BACK, Entry, KeptReport, Override, PromotedModel, Proof, costs_of
from distilltest.promotion.evidence import Evidence, Gathered, gather, why_nothing
from distilltest.promotion.history import History
from distilltest.promotion.shutdown import Shutdown, ask_shutdown
from distilltest.reporting import json as json_report
from distilltest.reporting import markdown
from distilltest.reporting.report import RunReport
from distilltest.store import Store
from distilltest.training_files.overlap import find_overlap

FOLDER = "promoted"
"""The folder in reports/ for kept reports."""


def utc_now() -> datetime:
    """The current time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an attempt to promote."""

    status: Status
    """``promote``, or the status that prevented it."""
    evidence: tuple[Evidence, ...]
    obstacles: tuple[str, ...] = ()
    """Objections other than those of the evaluations."""
    remarks: tuple[str, ...] = ()
    entry: Entry | None = None
    """The entry that was written, or that exists already."""
    already: bool = False
    """Nothing was written: the newest entry says the same."""


@dataclass(frozen=True, slots=True)
class Promoter:
    """Promotes models of one project."""

    config: Config
    """With the model to promote in the role ``candidate``."""
    store: Store
    offline: bool = False
    """Do not ask the server for a shutdown date."""
    clock: Callable[[], datetime] = field(default=utc_now)

    def promote(self, override: str | None = None) -> Result:
        """Promote the candidate if every required evaluation says so, or by an override with a reason.

        Raises:
            DistilltestError: promotions.yaml is broken or was edited, git has no user name, or a file cannot be written.
        """
        history = History.load(self.config.root)
        history.refuse_edits()
        model = self.config.model("candidate")
        gathered = gather(self.config, self.store, model.model, history.production)
        written = _same(history, model.model, gathered)
        if written is not None and written is history.production:
            return Result(Status.PROMOTE, gathered.evidence, entry=written, already=True)
        ends = self._shutdown(model.server, model.model)
        obstacles = [each for each in (ends.past, self._leaks(gathered)) if each]
        if written is not None:
            # The evidence is the same, so the later decision stands.
            obstacles.append(
                f"entry {written.number} promoted it on the same evidence, and something else was put into production since. "
                f"`distilltest promotions rollback {written.number} --reason …` brings it back."
            )
        status = combine([gathered.status, *[Status.BLOCK for _ in obstacles]])
        if not gathered.evidence:
            obstacles.insert(0, f"{why_nothing(self.store, model.model)}. Run `pytest --candidate {model.model}`.")
        remarks = [ends.warning] if ends.warning else []
        if status is not Status.PROMOTE and override is None:
            return Result(status, gathered.evidence, tuple(obstacles), tuple(remarks))
        if status is Status.PROMOTE and override is not None:
            remarks.append("There was nothing to override: everything says promote. The reason is not recorded.")
        against = [f"{each.id}: {each.sentence}" for each in gathered.evidence if each.status is not Status.PROMOTE]
        overridden = Override(override or "", (*against, *obstacles)) if status is not Status.PROMOTE else None
        entry = self._write(history, gathered, overridden, ends)
        return Result(Status.PROMOTE, gathered.evidence, tuple(obstacles), tuple(remarks), entry)

    def roll_back(self, number: int | None, reason: str) -> tuple[Entry, Shutdown]:
        """Put an earlier promotion back into production with a new entry.

        Args:
            number: The entry; None for the promotion before the one in production.
            reason: Why.

        Raises:
            PromotionsError: There is no such promotion, it is in production already, or its model has ended.
        """
        history = History.load(self.config.root)
        history.refuse_edits()
        current = history.find(None).entry
        earlier = [e.entry for e in history.entries if e.entry.action == PROMOTE and e.entry.number < current.source]
        if number is None and not earlier:
            raise PromotionsError(f"{NAME}: before entry {current.source} nothing was promoted to go back to.")
        target = earlier[-1] if number is None else history.find(number).entry
        target = history.find(target.source).entry
        if target.number == current.source:
            raise PromotionsError(f"{NAME}: entry {target.number} ({target.model.id}) is in production already.")
        ends = self._shutdown(target.model.server, target.model.id)
        if ends.past:
            raise PromotionsError(f"{ends.past} It cannot go back into production.")
        entry = Entry(
            number=len(history.entries) + 1,
            action=ROLL_BACK,
            when=self._when(),
            who=identity.who(self.config.root),
            commit=identity.commit(self.config.root),
            model=replace(target.model, shutdown_date=ends.date or target.model.shutdown_date),
            training_file=target.training_file,
            override=target.override,
            restores=target.number,
            reason=reason,
            report=target.report,
            previous=current.hash,
        )
        with self.store.alone():
            self._refuse_others(history)
            return history.append(entry), ends

    def _write(self, history: History, gathered: Gathered, override: Override | None, ends: Shutdown) -> Entry:
        """Write the report, then the entry that names it; a promotion that was killed in between can be repeated."""
        root, model = self.config.root, self.config.model("candidate")
        who, training_file = identity.who(root), self._training_file()
        reports = [(each.run, each.report) for each in gathered.evidence if each.run and each.report]
        with self.store.alone():
            self._refuse_others(history)
            number = len(history.entries) + 1
            kept = None
            if reports:
                infos = {run.id: run.record["info"] for run in gathered.runs if run.record}
                info = restore(RunInfo, infos[max(run for run, _ in reports)])
                folder = self.config.reports_dir / FOLDER / f"{number}-{_slug(model.model)}"
                report = RunReport.of(info, [report for _, report in reports])
                kept = keep_report(root, folder, report, private=self.config.private_reports)
            entry = Entry(
                number=number,
                action=PROMOTE,
                when=self._when(),
                who=who,
                commit=identity.commit(root),
                model=PromotedModel.of(model, ends.date),
                training_file=training_file,
                override=override,
                evaluations=tuple(Proof.of(run, report) for run, report in reports),
                costs=costs_of([report for _, report in reports]),
                report=kept,
                previous=history.entries[-1].entry.hash if history.entries else None,
            )
            return history.append(entry)

    def _refuse_others(self, history: History) -> None:
        """Raise if another process has promoted since the history was read; the caller holds the lock."""
        if len(History.load(self.config.root).entries) != len(history.entries):
            raise PromotionsError(f"{NAME}: somebody else promoted meanwhile. Look at it, and decide again.")

    def _when(self) -> str:
        return self.clock().astimezone(UTC).isoformat(timespec="seconds")

    def _shutdown(self, server: str, model: str) -> Shutdown:
        return Shutdown() if self.offline else ask_shutdown(self.config, server, model, self.clock().date())

    def _leaks(self, gathered: Gathered) -> str:
        """A sentence about cases in the model's training file, if the file still exists; empty if there are none."""
        known = self._training_file()
        path = Path(str(self.store.tuned(self.config.model("candidate").model).get("training_file")))
        if known is None or file_fingerprint(path) != known["sha256"]:
            return ""
        found: list[str] = []
        for each in gathered.evidence:
            declared = gathered.suite.get(each.id)
            if declared is None or declared.requests is None or each.run is None:
                continue
            asked = {outcome.case_id for outcome in self.store.outcomes(each.run, each.id)}  # without omitted cases
            texts = [(case, text) for case, text in declared.requests.items() if case in asked]
            found += find_overlap(path, texts, threshold=None).leaked
        leaked = list(dict.fromkeys(found))
        some = ", ".join(leaked[:5]) + (", …" if len(leaked) > 5 else "")
        return f"{len(leaked)} requests of the evaluations are in the training file ({some})." if leaked else ""

    def _training_file(self) -> dict[str, str] | None:
        known = self.store.tuned(self.config.model("candidate").model)
        if not known.get("sha256"):
            return None
        path = Path(known["training_file"])
        inside = path.is_relative_to(self.config.root)
        return {
            "path": path.relative_to(self.config.root).as_posix() if inside else path.name,
            "sha256": known["sha256"],
        }


def keep_report(root: Path, folder: Path, report: RunReport, *, private: bool = True) -> KeptReport:
    """Write a report for review and commit.

    Raises:
        DistilltestError: It cannot be written.
    """
    data, text = json_report.render(report), markdown.render(report).encode()
    write_whole(folder / "report.json", data, private=private)
    write_whole(folder / "report.md", text, private=private)
    return KeptReport(
        folder=folder.relative_to(root).as_posix(),
        json_sha256=hashlib.sha256(data).hexdigest(),
        markdown_sha256=hashlib.sha256(text).hexdigest(),
    )


def _same(history: History, model: str, gathered: Gathered) -> Entry | None:
    """The newest entry that puts the same model into production on the same evidence, even from other runs.

    A model that is evaluated again after its promotion is compared with itself as ``promoted`` and counts as another attempt.
    That is not new evidence: only the dataset, the rules and the candidate's results are compared.
    """
    proofs = [Proof.of("", each.report) for each in gathered.evidence if each.report]
    for each in reversed(history.entries):
        source = history.find(each.entry.source).entry
        overridden = source.override is not None
        if source.model.id == model and _gist(source.evaluations, overridden) == _gist(proofs, overridden):
            return each.entry
    return None


def _gist(proofs: Iterable[Proof], verdict: bool) -> dict[str, tuple[object, ...]]:
    """Evaluation → dataset, rules and the candidate's results; with the verdict if a proof is to replace an override."""
    return {
        proof.id: (
            proof.dataset["fingerprint"],
            tuple(rule["rule"] for rule in proof.rules),
            dict(proof.roles.get("candidate", {})),
            proof.verdict if verdict else None,
        )
        for proof in proofs
    }


def _slug(model: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-.") or "model"
