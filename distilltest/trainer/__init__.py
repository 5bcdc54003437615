"""A trainer of one's own: the embedded server's endpoints with a Hugging Face causal language model behind them.

It needs the extra ``distilltest[train]``; what is imported from there is imported in this package and nowhere else.
"""
