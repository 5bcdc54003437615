"""Preference training (DPO) with TRL's DPOTrainer."""

from __future__ import annotations

from typing import Any

from distilltest.server.interface import TrainingFailed
from distilltest.trainer.examples import Messages, read_file, texts
from distilltest.trainer.loading import LoadedBase
from distilltest.trainer.template import TemplateRefused, render, token_ids
from distilltest.trainer.training import LoraTraining


class PreferenceTraining(LoraTraining):
    """A DPO job. The reference is the model that the job starts from: the base model or an adapter."""

    @staticmethod
    def _read(content: bytes, base: LoadedBase, field: str) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        """The examples as messages, without those whose request fills the context, and notes about the file."""
        tokenizer = base.another_tokenizer()
        examples, lost = [], 0
        for number, line in enumerate(read_file(content, "dpo", field=field), start=1):
            prompt = _plain(line["input"]["messages"])
            chosen, rejected = (_plain(line[name]) for name in ("preferred_output", "non_preferred_output"))
            try:
                asked = render(tokenizer, prompt, ask=True)
                for answer in (chosen, rejected):
                    if not render(tokenizer, prompt + answer, ask=False).startswith(asked):
                        raise TemplateRefused(
                            "the model's chat template does not place answers after its generation prompt"
                        )
            except TemplateRefused as error:
                raise TrainingFailed(f"invalid_{field}", f"line {number}: {error}", field) from None
            if len(token_ids(tokenizer, asked)) < base.context:
                examples.append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
            else:
                lost += 1
        left_out = f"{field}: {lost} examples fill the model's {base.context} tokens before the answer and are left out"
        return examples, (left_out,) if lost else ()

    def _trainer(self, model: Any, arguments: dict[str, Any]) -> Any:
        from datasets import Dataset, disable_progress_bars
        from trl import DPOConfig, DPOTrainer

        disable_progress_bars()
        return DPOTrainer(
            model=model,
            args=DPOConfig(**arguments, max_length=self.base.context, beta=float(self.hyperparameters["beta"])),
            train_dataset=Dataset.from_list(self.examples),
            eval_dataset=Dataset.from_list(self.held_out) if self.held_out else None,
            processing_class=self.base.another_tokenizer(),
        )

    def _tokens(self, trainer: Any) -> int:
        return sum(
            2 * len(example["prompt_ids"]) + len(example["chosen_ids"]) + len(example["rejected_ids"])
            for example in trainer.train_dataset
        )


def _plain(messages: Messages) -> Messages:
    return [{"role": _role(m["role"]), "content": m["content"]} for m in texts(messages)]


def _role(role: str) -> str:
    return "system" if role == "developer" else role
