"""The configuration of a project, from ``distilltest.yaml``."""

from distilltest.config.load import CONFIG_NAME, load_config
from distilltest.config.model import Config, Distillation, Judge, Price, Server
from distilltest.config.prices import MILLION, cost_of, usd

__all__ = [
    "CONFIG_NAME",
    "MILLION",
    "Config",
    "Distillation",
    "Judge",
    "Price",
    "Server",
    "cost_of",
    "load_config",
    "usd",
]
