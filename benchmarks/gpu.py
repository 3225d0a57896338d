"""One CUDA machine, measured in ten minutes: ``python -m benchmarks.gpu``.

Are the chapter's numbers right there? Does a run resume exactly? How fast is a step of the 124M
and the 355M model, in each precision, compiled or not, and what share of the GPU's peak is that
(MFU)? How does it compare with nanoGPT's and transformers' steps of the same shape, by turns? How
fast does the model write, and which batches fit? Each part is a process with a time limit of its
own: one that fails or is late leaves the others' numbers. The last line is one JSON object, kept
for ``benchmarks.table``.

Needs torch 2.11 or later, numpy and what gpt_core imports: ``pip install chardet filelock lxml
platformdirs psutil regex safetensors tiktoken``. Neither streamlit nor plotly; transformers is
measured if it is there, and the chapter's run if data/the-verdict.txt is.

``--quick`` leaves out what takes longest. ``--device cpu --tiny`` runs all of it in small, which is
its test: its numbers mean nothing, and are not kept.
"""

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NEEDED = ("chardet", "filelock", "lxml", "numpy", "platformdirs", "psutil", "regex", "safetensors")
NEEDED = (*NEEDED, "tiktoken", "torch")
if missing := [name for name in NEEDED if find_spec(name) is None]:
    sys.exit(f"benchmarks.gpu needs {', '.join(missing)}: pip install {' '.join(missing)}")

import torch  # noqa: E402 (after the sentence above)
from torch import Tensor  # noqa: E402

from benchmarks import nanogpt  # noqa: E402
from benchmarks.pairs import print_result  # noqa: E402
from gpt_core.config import GPTConfig, TrainingConfig  # noqa: E402
from gpt_core.model import (  # noqa: E402
    build_model,
    calc_loss_batch,
    calc_loss_loader,
    compare_devices,
    generate,
    loss_walkthrough,
    peak_tflops,
    seed_device,
    tf32_products,
    utilization,
)
from gpt_core.model.compilation import compile_loss  # noqa: E402
from gpt_core.presets import GPT2_CONFIGS, GPT_CONFIG_124M, PRESETS  # noqa: E402
from gpt_core.records import EvaluationRecord, StepRecord  # noqa: E402
from gpt_core.training import (  # noqa: E402
    TrainingState,
    accumulate_gradients,
    create_optimizer,
    prepare_data,
    train,
)
from gpt_core.training.data import copied_ahead  # noqa: E402
from gpt_core.training.gradients import clip_gradients, finite_grad_norm  # noqa: E402

TINY = GPTConfig(
    vocab_size=256, context_length=16, emb_dim=16, n_heads=2, n_layers=1, drop_rate=0.0
)
WARM_UP, STEPS = 3, 10
GOAL = 0.40  # MFU of the 124M model in bfloat16, compiled, on an H100 or H200
PATIENCE = 4  # times the limits, on the busy CPUs of a test
PROFILED = 10  # kernels that are named
# The chapter's two rows of three tokens, and what its untrained model gives their targets.
INPUTS = torch.tensor([[16833, 3626, 6100], [40, 1107, 588]])
TARGETS = torch.tensor([[3626, 6100, 345], [1107, 588, 11311]])
CHAPTER_PROBAS = ((7.454e-05, 3.106e-05, 1.156e-05), (1.034e-05, 5.678e-05, 4.756e-06))
CHAPTER_LOSS, UNTRAINED_LOSSES = 10.7940, (10.987583, 10.981106)
NEAR = 0.001  # nats, in float32 on another device


@dataclass(frozen=True)
class Options:
    """What is measured where."""

    device: str
    is_tiny: bool
    is_quick: bool
    seconds: float  # for the part


@dataclass(frozen=True)
class Case:
    """A step to be timed."""

    size: str
    precision: str  # float32, tf32 or bfloat16
    is_compiled: bool
    batch_size: int


def shape(size: str, options: Options) -> GPTConfig:
    """Return GPT-2's shape of a size, its head tied and dropout 0, as the peers have it."""
    if options.is_tiny:
        return replace(TINY, tied_head=True, initialization="gpt2")
    config = GPT2_CONFIGS[size]
    return replace(config, drop_rate=0.0, qkv_bias=False, tied_head=True, initialization="gpt2")


def settings(precision: str, batch_size: int, options: Options) -> TrainingConfig:
    """Return the settings of a timed step."""
    return TrainingConfig(
        batch_size=batch_size,
        precision="bfloat16" if precision == "bfloat16" else "float32",
        tf32=precision == "tf32" and options.device == "cuda",
        device=options.device,
        max_grad_norm=1.0,
        beta2=0.95,
        learning_rate=6e-4,
    )


def token_batches(config: GPTConfig, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches (B, T) of random tokens on the CPU, endlessly: every tenth is the same."""
    generator = torch.Generator().manual_seed(0)
    sizes = (10, batch_size, config.context_length + 1)
    ids = torch.randint(config.vocab_size, sizes, generator=generator)
    while True:
        for rows in ids:
            yield rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def our_step(
    model_config: GPTConfig, config: TrainingConfig, is_compiled: bool
) -> Callable[[Tensor, Tensor], float]:
    """Return one update as ``gpt_core.train`` makes it, its checks included."""
    model = build_model(model_config, config.seed).to(config.device).train()
    optimizer = create_optimizer(model, config)
    calc_loss = compile_loss() if is_compiled else calc_loss_batch

    def step(inputs: Tensor, targets: Tensor) -> float:
        optimizer.zero_grad()
        with tf32_products(config):
            loss = accumulate_gradients([(inputs, targets)], model, config, calc_loss)
        norm = finite_grad_norm(loss, model, config.learning_rate, 0)
        clip_gradients(model, config.max_grad_norm, norm)
        optimizer.step()
        return loss.item()

    return step


def time_step(
    step: Callable[[Tensor, Tensor], float],
    batches: Iterator[tuple[Tensor, Tensor]],
    warm_up: int = WARM_UP,
    steps: int = STEPS,
) -> float:
    """Return the median seconds of a step, which ends when its loss is on the CPU."""
    seconds = []
    for _ in range(warm_up + steps):
        began = time.perf_counter()
        step(*next(batches))
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[warm_up:])


def peak_memory(device: str) -> float | None:
    """Return the most that PyTorch has allocated on the GPU, in GB."""
    return torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None


@contextmanager
def freed(device: str) -> Iterator[None]:
    """Count the GPU's memory anew, and free it afterwards."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        yield
    finally:
        torch.compiler.reset()
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()


def gpu_name(device: str) -> str:
    """Return the GPU's name, or "cpu"."""
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


# The parts


def check_chapter(options: Options) -> dict[str, Any]:
    """Compare the chapter's numbers, as this device gives them, with the printed ones."""
    device = options.device
    model = build_model(GPT_CONFIG_124M, 123).to(device)
    walk = loss_walkthrough(model, INPUTS.to(device), TARGETS.to(device))
    off = (walk.target_probas.cpu() / torch.tensor(CHAPTER_PROBAS) - 1).abs().max().item()
    found: dict[str, Any] = {
        "probabilities_off_by": off,
        "loss": walk.loss.item(),
        "loss_is_right": abs(walk.loss.item() - CHAPTER_LOSS) <= NEAR,
    }
    small = TINY if options.is_tiny else replace(GPT_CONFIG_124M, n_layers=2)
    for precision in ("float32", "tf32", "bfloat16"):
        config = settings(precision, 4, options)
        batch = next(token_batches(small, 4))
        difference = compare_devices(build_model(small, 1), batch, device, config)
        found[f"{precision}_against_the_cpu"] = difference or "as on the CPU"
    return found


def check_chapter_run(options: Options) -> dict[str, Any]:
    """Train the chapter's run, if its text is there: is it inside the band of a right one?"""
    from gpt_core.analysis.reference_runs import BAND, BOOK_RUN
    from gpt_core.text import has_the_verdict, load_text
    from gpt_core.vocabularies import get_tokenizer

    if not has_the_verdict():
        return {"not_measured": "data/the-verdict.txt is not there: fetch-verdict downloads it"}
    preset, tokenizer = PRESETS["book-124m"], get_tokenizer()
    epochs, last = (10, 85) if not options.is_tiny else (1, 0)
    config = replace(preset.training, device=options.device, num_epochs=epochs, eval_iter=1)
    config = config if options.is_tiny else replace(config, eval_iter=5)
    text, generator = load_text("the-verdict").text, torch.Generator()
    data = prepare_data(text, tokenizer, preset.model, config, generator=generator)
    model = build_model(preset.model, config.seed, generator).to(options.device)
    untrained = None
    if not options.is_tiny:
        with torch.no_grad():
            untrained = [
                calc_loss_loader(loader, model, options.device)
                for loader in (data.train_loader, data.val_loader)
            ]
        model = build_model(preset.model, config.seed, generator).to(options.device)
    seed_device(torch.device(options.device), config.seed)
    off = [0.0, 0.0]
    began = time.perf_counter()
    loaders = (data.train_loader, data.val_loader)
    for record in train(model, *loaders, create_optimizer(model, config), tokenizer, config):
        if isinstance(record, EvaluationRecord):
            book = BOOK_RUN.losses[record.global_step]
            here = (record.train_loss, record.val_loss)
            off = [max(o, abs(x - y)) for o, x, y in zip(off, here, book, strict=True)]
            if record.global_step == last:
                break
    limits = (BAND.train_loss, BAND.val_loss)
    return {
        "untrained_losses": untrained,
        "untrained_are_right": untrained
        and all(abs(x - y) <= NEAR for x, y in zip(untrained, UNTRAINED_LOSSES, strict=True)),
        "largest_differences": off,
        "inside_the_band": all(o <= limit for o, limit in zip(off, limits, strict=True)),
        "seconds": time.perf_counter() - began,
    }


def check_resume(options: Options) -> dict[str, Any]:
    """Train a small model with dropout twice, and once more from a checkpoint halfway."""
    from gpt_core.text import load_text
    from gpt_core.vocabularies import get_tokenizer
    from gpt_core.weights import load_checkpoint, save_checkpoint

    steps = 4 if options.is_tiny else 40
    small = replace(PRESETS["pocket"].model, context_length=32, emb_dim=16, n_layers=1)
    model_config = small if options.is_tiny else PRESETS["evening"].model
    tokenizer, text = get_tokenizer(), load_text("the-lamp-room").text
    found: dict[str, Any] = {}

    def run(config: TrainingConfig, folder: Path, resumes: bool) -> list[float]:
        generator = torch.Generator()
        data = prepare_data(text, tokenizer, model_config, config, generator=generator)
        model = build_model(model_config, config.seed, generator).to(config.device)
        seed_device(torch.device(config.device), config.seed)
        optimizer, state = create_optimizer(model, config), TrainingState()
        if resumes:
            state = load_checkpoint(folder, model, optimizer)
        losses = []
        loaders = (data.train_loader, data.val_loader)
        for record in train(model, *loaders, optimizer, tokenizer, config, state):
            if isinstance(record, StepRecord):
                losses.append(record.loss)
                if record.global_step >= steps - 1 and state.between_steps and not folder.exists():
                    save_checkpoint(folder, model, optimizer, state)
                if record.global_step == 2 * steps - 1:
                    break
        return losses

    for precision in ("float32", "bfloat16"):
        config = TrainingConfig(
            num_epochs=50,
            batch_size=4,
            eval_freq=10_000,
            eval_iter=1,
            sample_tokens=1,
            precision=precision,
            device=options.device,
        )
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "whole"
            first = run(config, folder, resumes=False)
            again = run(config, folder, resumes=False)
            resumed = run(config, folder, resumes=True)
        off = max(abs(x - y) for x, y in zip(first[-len(resumed) :], resumed, strict=True))
        own = max(abs(x - y) for x, y in zip(first, again, strict=True))
        found[precision] = {"resumed_off_by": off, "repeated_off_by": own}
        if own > 0:
            found[precision]["reason"] = "the run itself does not repeat: kernels add in any order"
    return found


def cases(options: Options) -> list[Case]:
    """Return the steps to time, those that matter most first."""
    few = 2 if options.is_tiny else 16
    rows = [Case("124M", "bfloat16", compiled, few) for compiled in (True, False)]
    if options.is_tiny:
        return [*rows, Case("124M", "float32", False, few), Case("124M", "tf32", False, few)]
    rows += [Case("355M", "bfloat16", compiled, 8) for compiled in (True, False)]
    rows += [Case("124M", "bfloat16", False, size) for size in (4, 64)]
    rows += [Case("124M", precision, False, few) for precision in ("tf32", "float32")]
    if options.is_quick:
        return rows
    rows += [Case("355M", precision, False, 8) for precision in ("tf32", "float32")]
    rows += [Case("124M", "bfloat16", True, 64)]
    rows += [Case("124M", precision, True, few) for precision in ("tf32", "float32")]
    rows += [Case("355M", precision, True, 8) for precision in ("tf32", "float32")]
    return rows


def time_case(case: Case, options: Options) -> dict[str, Any]:
    """Return a step's seconds, tokens per second, MFU and peak memory, or why there are none."""
    model_config = shape(case.size, options)
    config = settings(case.precision, case.batch_size, options)
    batches = copied_ahead(token_batches(model_config, case.batch_size), options.device)
    began = time.perf_counter()
    try:
        step = our_step(model_config, config, case.is_compiled)
        step(*next(batches))  # compiles
        first = time.perf_counter() - began
        seconds = time_step(step, batches)
    except torch.OutOfMemoryError:
        return {"not_measured": "out of memory"}
    except Exception as error:  # of a compiler: the other rows are measured all the same
        return {"not_measured": f"{type(error).__name__}: {str(error).strip()[:200]}"}
    speed = case.batch_size * model_config.context_length / seconds
    return {
        "first_step_seconds": first,
        "seconds": seconds,
        "tokens_per_second": speed,
        "mfu": utilization(model_config, config, gpu_name(options.device), speed),
        "peak_gb": peak_memory(options.device),
    }


def measure_steps(options: Options) -> dict[str, Any]:
    """Time steps of both sizes, as many as the part's time allows."""
    ends, rows = time.monotonic() + 0.8 * options.seconds, []
    for case in cases(options):
        measured: dict[str, Any] = {"not_measured": "the part's time was up"}
        if time.monotonic() < ends:
            with freed(options.device):
                measured = time_case(case, options)
        rows.append({**asdict(case), **measured})
    return {"rows": rows}


def transformers_step(
    model_config: GPTConfig, options: Options, compiles: bool
) -> Callable[[Tensor, Tensor], float]:
    """Return one update of Hugging Face's GPT-2 of the same shape, in bfloat16."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=model_config.vocab_size,
        n_positions=model_config.context_length,
        n_embd=model_config.emb_dim,
        n_layer=model_config.n_layers,
        n_head=model_config.n_heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    model = GPT2LMHeadModel(config).to(options.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), fused=True)

    def calc_loss(inputs: Tensor, targets: Tensor) -> Tensor:
        logits = model(inputs, use_cache=False).logits  # (B, T, vocab_size)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    compiled = torch.compile(calc_loss) if compiles else calc_loss

    def step(inputs: Tensor, targets: Tensor) -> float:
        optimizer.zero_grad()
        with torch.autocast(options.device, dtype=torch.bfloat16):
            loss = compiled(inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def compare_peers(options: Options) -> dict[str, Any]:
    """Time our step, nanoGPT's and transformers' of the same shape by turns, in bfloat16."""
    model_config = shape("124M", options)
    batch_size, rounds = (2, 2) if options.is_tiny else (16, 5)
    compiles = not options.is_tiny
    config = settings("bfloat16", batch_size, options)
    recipe = nanogpt.GPU_RECIPE
    vocab_size = nanogpt.GPU_VOCABULARY
    if options.is_tiny:
        vocab_size = 256
        recipe = replace(recipe, context_length=16, emb_dim=16, n_heads=2, n_layers=1)
    if options.device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True  # as nanoGPT does
    steps: dict[str, Callable[[Tensor, Tensor], float]] = {}
    batches = copied_ahead(token_batches(model_config, batch_size), options.device)
    notes: dict[str, str] = {}
    makers = {
        "ours": lambda: our_step(model_config, config, compiles),
        "nanogpt": lambda: nanogpt.gpu_step(options.device, vocab_size, recipe, compiles),
        "transformers": lambda: transformers_step(model_config, options, compiles),
    }
    for name, make in makers.items():
        if name == "transformers" and find_spec("transformers") is None:
            notes[name] = "transformers is not installed"
            continue
        try:
            step = make()
            for _ in range(WARM_UP):
                step(*next(batches))
            steps[name] = step
        except Exception as error:  # a peer's compiler must not cost the others' numbers
            notes[name] = f"{type(error).__name__}: {str(error)[:200]}"
    measured = [
        {name: time_step(step, batches, 1, 5) for name, step in steps.items()}
        for _ in range(rounds)
    ]
    tokens = batch_size * model_config.context_length
    return {
        "batch_size": batch_size,
        "compiled": compiles,
        "tokens_per_second": {
            name: tokens / statistics.median(r[name] for r in measured) for name in steps
        },
        "ours_over": {
            name: statistics.median(r[name] / r["ours"] for r in measured)
            for name in steps
            if name != "ours" and "ours" in steps
        },
        "notes": notes,
    }


def measure_generation(options: Options) -> dict[str, Any]:
    """Let the model write greedily, with its key/value cache and computing all anew each time."""
    config = TINY if options.is_tiny else replace(GPT_CONFIG_124M, context_length=1024)
    tokens = 8 if options.is_tiny else 200
    model = build_model(config, 123).to(options.device)
    prompt = torch.arange(4, device=options.device).unsqueeze(0)  # (1, 4)

    @torch.no_grad()
    def anew() -> Tensor:
        ids = prompt
        for _ in range(tokens):
            logits = model(ids[:, -config.context_length :])[:, -1]  # (1, vocab_size)
            ids = torch.cat((ids, logits.argmax(dim=-1, keepdim=True)), dim=1)  # (1, T + 1)
        return ids

    def speed(write: Callable[[], Tensor]) -> tuple[float, Tensor]:
        write()
        began = time.perf_counter()
        ids = write().cpu()
        return tokens / (time.perf_counter() - began), ids

    cached, ids = speed(lambda: generate(model, prompt, tokens))
    uncached, same = speed(anew)
    return {
        "cached_tokens_per_second": cached,
        "uncached_tokens_per_second": uncached,
        "same_tokens": torch.equal(ids, same),
    }


def measure_memory_limits(options: Options) -> dict[str, Any]:
    """Find the largest batch of each size that fits, in bfloat16, uncompiled."""
    from gpt_core.runner import largest_batch

    found: dict[str, Any] = {"memory_gb": None}
    if options.device == "cuda":
        found["memory_gb"] = torch.cuda.get_device_properties(0).total_memory / 1e9
    sizes = ("124M",) if options.is_tiny else ("124M", "355M", "774M", "1558M")
    ends = time.monotonic() + 0.7 * options.seconds
    for size in sizes:
        if time.monotonic() > ends:
            found[size] = "not measured: the part's time was up"
            continue
        model_config = shape(size, options)
        config = settings("bfloat16", 1, options)
        with freed(options.device):
            try:
                step = our_step(model_config, config, is_compiled=False)
            except torch.OutOfMemoryError:
                found[size] = 0
                continue

            def try_batch(
                rows: int,
                step: Callable[[Tensor, Tensor], float] = step,
                config: GPTConfig = model_config,
            ) -> None:
                ids = torch.zeros(rows, config.context_length, dtype=torch.int64)  # (B, T)
                step(ids, ids)

            found[size] = largest_batch(try_batch, 4 if options.is_tiny else 256)
            del step, try_batch
    return found


def profile_step(options: Options) -> dict[str, Any]:
    """Name the kernels that take most of a compiled step's time: where the MFU goes."""
    from torch.profiler import ProfilerActivity, profile

    is_gpu = options.device == "cuda"
    model_config = shape("124M", options)
    config = settings("bfloat16", 2 if options.is_tiny else 16, options)
    step = our_step(model_config, config, is_compiled=is_gpu)
    batches = copied_ahead(token_batches(model_config, config.batch_size), options.device)
    time_step(step, batches, 0, 3)
    kinds = [ProfilerActivity.CUDA if is_gpu else ProfilerActivity.CPU]
    with profile(activities=kinds) as profiled:
        time_step(step, batches, 0, 3)

    def own_time(event: Any) -> float:
        return float(event.self_device_time_total if is_gpu else event.self_cpu_time_total)

    events = sorted(profiled.key_averages(), key=own_time, reverse=True)
    total = sum(map(own_time, events))
    kernels = {event.key[:80]: round(own_time(event) / total, 3) for event in events[:PROFILED]}
    return {"fractions_of_the_kernels_time": kernels}


# Each part, its limit in seconds, and whether --quick leaves it out.
PARTS: dict[str, tuple[Callable[[Options], dict[str, Any]], float, bool]] = {
    "chapter": (check_chapter, 40, False),
    "resume": (check_resume, 50, False),
    "peers": (compare_peers, 110, False),
    "steps": (measure_steps, 210, False),
    "generation": (measure_generation, 30, False),
    "memory": (measure_memory_limits, 50, True),
    "chapter_run": (check_chapter_run, 50, True),
    "profile": (profile_step, 60, True),
}


def in_a_process(name: str, options: Options) -> dict[str, Any]:
    """Measure a part in a process of its own, which its limit ends."""
    with tempfile.TemporaryDirectory() as place:
        answer = Path(place) / "answer.json"
        command = [sys.executable, "-m", "benchmarks.gpu", "--part", name, "--to", str(answer)]
        command += ["--device", options.device, "--limit", str(options.seconds)]
        command += ["--tiny"] * options.is_tiny + ["--quick"] * options.is_quick
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=options.seconds, env=os.environ
            )
        except subprocess.TimeoutExpired:
            return {"not_measured": f"not done after {options.seconds:.0f} s"}
        if done.returncode or not answer.exists():
            lines = (done.stderr.strip() or f"it ended with {done.returncode}").splitlines()
            print(done.stderr, file=sys.stderr)
            return {"not_measured": lines[-1][:300]}
        result: dict[str, Any] = json.loads(answer.read_text())
        return result


def print_steps(rows: list[dict[str, Any]]) -> None:
    """Print the timed steps as a table."""
    titles = f"{'MODEL':6} {'PRECISION':9} {'COMPILED':8} {'BATCH':>5} {'STEP':>9}"
    print(f"{titles} {'TOKENS/S':>10} {'MFU':>6} {'PEAK':>8}")
    for row in rows:
        line = f"{row['size']:6} {row['precision']:9} {'yes' if row['is_compiled'] else 'no':8} "
        line += f"{row['batch_size']:>5} "
        if "not_measured" in row:
            print(f"{line}{row['not_measured']}")
            continue
        mfu = "–" if row["mfu"] is None else f"{row['mfu']:.1%}"
        peak = "–" if row["peak_gb"] is None else f"{row['peak_gb']:.1f} GB"
        print(
            f"{line}{1000 * row['seconds']:>6.1f} ms {row['tokens_per_second']:>10,.0f} "
            f"{mfu:>6} {peak:>8}"
        )


def is_goal_missed(rows: list[dict[str, Any]]) -> bool:
    """Tell whether no compiled bfloat16 step of the 124M model reaches the goal, if one has MFU."""
    reached = [
        row["mfu"]
        for row in rows
        if (row["size"], row["precision"], row["is_compiled"]) == ("124M", "bfloat16", True)
        and row.get("mfu") is not None
    ]
    return bool(reached) and max(reached) < GOAL


def main() -> None:
    """Measure all parts, print their tables, and print and keep the result."""
    parser = ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="leave out what takes longest")
    parser.add_argument("--tiny", action="store_true", help="a tiny model: a test, no measurement")
    parser.add_argument("--part", choices=PARTS, help="this part only, in this process")
    parser.add_argument("--limit", type=float, default=600, help="seconds of --part")
    parser.add_argument("--to", type=Path, help="the file for the numbers of --part")
    chosen = parser.parse_args()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        sys.exit("There is no CUDA device here. --device cpu --tiny runs everything in small.")
    options = Options(chosen.device, chosen.tiny, chosen.quick, chosen.limit)
    if chosen.part:
        numbers = json.dumps(PARTS[chosen.part][0](options))
        print(numbers) if chosen.to is None else chosen.to.write_text(numbers)
        return

    name = gpu_name(options.device)
    peak = peak_tflops(name, TrainingConfig(precision="bfloat16"))
    print(f"{name}, torch {torch.__version__}; bfloat16 peak: {peak or 'not known'} TFLOP/s")
    parts: dict[str, Any] = {}
    for part, (_, seconds, is_long) in PARTS.items():
        rows = parts.get("steps", {}).get("rows", [])
        if is_long and options.is_quick and not (part == "profile" and is_goal_missed(rows)):
            continue
        began = time.perf_counter()
        limit = PATIENCE * seconds if options.is_tiny else seconds
        parts[part] = in_a_process(part, replace(options, seconds=limit))
        print(f"\n{part}, {time.perf_counter() - began:.0f} s")
        if part == "steps" and "rows" in parts[part]:
            print_steps(parts[part]["rows"])
        else:
            print(json.dumps(parts[part], indent=1))
    result = {"benchmark": "gpu", "gpu": name, "quick": options.is_quick, **parts}
    if options.is_tiny:
        print(json.dumps(result))
    else:
        print_result(**result)


if __name__ == "__main__":
    main()
