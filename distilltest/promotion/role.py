"""The role ``promoted``: the model that the newest entry of ``promotions.yaml`` puts into production."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from distilltest.config import Config
from distilltest.data import absent
from distilltest.errors import ConfigError
from distilltest.promotion import NAME
from distilltest.records import Model

ROLE = "promoted"


def promoted_at(root: Path) -> float:
    """The time of the last promotion (Unix time), 0 if there is none; a rollback does not count.

    The file has whole seconds, so this is the end of the second: an attempt within it came before the promotion.

    Raises:
        PromotionsError: promotions.yaml is broken.
    """
    if absent(root / NAME):
        return 0.0
    from distilltest.promotion.entry import PROMOTE
    from distilltest.promotion.history import History

    times = [each.entry.when for each in History.load(root).entries if each.entry.action == PROMOTE]
    return datetime.fromisoformat(times[-1]).timestamp() + 1.0 if times else 0.0


def with_promoted(config: Config) -> Config:
    """The configuration with the role ``promoted``, unless ``models:`` has it; unchanged if nothing is promoted yet.

    Raises:
        PromotionsError: promotions.yaml is broken or was edited.
        ConfigError: Its model is on a server that is not configured.
    """
    if ROLE in config.models or absent(config.root / NAME):
        return config
    from distilltest.promotion.history import History

    history = History.load(config.root)
    entry = history.production
    if entry is None:
        return config
    history.refuse_edits()
    known = config.servers.get(entry.model.server)
    if known is None:
        raise ConfigError(
            f"{NAME}: entry {entry.number}: {entry.model.id} is on the server {entry.model.server!r}, which is "
            f"not configured (there are {', '.join(config.servers)}). Add it under servers:, or name a model for "
            f"{ROLE!r} under models:."
        )
    model = Model(
        role=ROLE,
        server=known.name,
        base_url=known.base_url,
        model=entry.model.id,
        parameters=entry.model.parameters,
        prompt=entry.model.prompt,
        prompt_instead_of=entry.model.prompt_instead_of,
    )
    return replace(config, models={**config.models, ROLE: model})
