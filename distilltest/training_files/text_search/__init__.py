"""Find texts inside other texts, word for word or nearly."""
