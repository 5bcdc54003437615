"""Supervised training on the assistant's messages, with TRL's SFTTrainer."""

from __future__ import annotations

from typing import Any

from distilltest.server.interface import TrainingFailed
from distilltest.trainer.examples import read_file, texts
from distilltest.trainer.loading import LoadedBase
from distilltest.trainer.template import TemplateRefused, TokenizedConversation, teach
from distilltest.trainer.training import LoraTraining


class SupervisedTraining(LoraTraining):
    """A supervised job."""

    @staticmethod
    def _read(content: bytes, base: LoadedBase, field: str) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        """The examples as tokens, cut at the model's context, and notes about the file."""
        tokenizer = base.another_tokenizer()
        examples, cut, lost, endless = [], 0, 0, 0
        for number, line in enumerate(read_file(content, "supervised", field=field), start=1):
            try:
                several = teach(tokenizer, texts(line["messages"]), base.end_ids)
            except TemplateRefused as error:
                raise TrainingFailed(f"invalid_{field}", f"line {number}: {error}", field) from None
            for taught in several:
                kept = TokenizedConversation(taught.input_ids[: base.context], taught.labels[: base.context])
                cut += len(kept.labels) < len(taught.labels)
                endless += not any(label in base.end_ids for label in taught.labels)
                if kept.learned:
                    examples.append({"input_ids": kept.input_ids, "labels": kept.labels})
                else:
                    lost += 1
        notes = []
        if cut:
            left_out = f"; {lost} of them had no answer left and are left out" if lost else ""
            notes.append(f"{field}: {cut} examples were cut at the model's {base.context} tokens{left_out}")
        if endless:
            notes.append(
                f"{field}: the chat template ends {endless} of the examples without an end token, so answers may not end by "
                "themselves"
            )
        return examples, tuple(notes)

    def _trainer(self, model: Any, arguments: dict[str, Any]) -> Any:
        from datasets import Dataset
        from trl import SFTConfig, SFTTrainer

        return SFTTrainer(
            model=model,
            args=SFTConfig(**arguments, max_length=None, dataset_kwargs={"skip_prepare_dataset": True}),
            train_dataset=Dataset.from_list(self.examples),
            eval_dataset=Dataset.from_list(self.held_out) if self.held_out else None,
            processing_class=self.base.another_tokenizer(),
        )

    def _tokens(self, trainer: Any) -> int:
        return sum(len(example["input_ids"]) for example in self.examples)
