"""What ``distilltest.yaml`` says: servers, models, prices, the gate's level and the distillation of this project."""

from distilltest.config.load import CONFIG_NAME, load_config
from distilltest.config.model import Config, Distillation, Judge, Price, Server

__all__ = ["CONFIG_NAME", "Config", "Distillation", "Judge", "Price", "Server", "load_config"]
