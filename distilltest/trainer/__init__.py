"""Your own trainer: the local server with a Hugging Face causal language model.

It needs the extra ``distilltest[train]``. Only this package imports the extra's libraries.
"""
