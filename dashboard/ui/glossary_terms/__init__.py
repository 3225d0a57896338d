"""The terms of the app, each with its meaning in one sentence."""

from dashboard.ui.glossary_terms.inside import INSIDE
from dashboard.ui.glossary_terms.term import Term

__all__ = ["GROUPS", "TERMS", "Term"]

GROUPS: dict[str, tuple[Term, ...]] = {
    "Text and tokens": (
        Term(
            "token",
            "A piece of text, often a word with the space before it, that the model reads and "
            "generates as one number.",
            "Tokens",
        ),
        Term(
            "token ID",
            "The number of a token in the vocabulary: from 0 to 50,256 in GPT-2.",
            "Tokens",
            "IDs?",
        ),
        Term(
            "vocabulary", "The set of all tokens that the model knows: 50,257 in GPT-2.", "Tokens"
        ),
        Term(
            "byte-pair encoding",
            "How a text becomes tokens: starting from its bytes, the adjacent pair that was "
            "learnt first is merged into one token, again and again.",
            "Tokens",
            "merges?|bpe|byte pairs?",
        ),
        Term(
            "end of text",
            "The special token <|endoftext|>, ID 50256, which separates two documents.",
            "Tokens",
            r"<\|endoftext\|>",
        ),
        Term(
            "inputs and targets",
            "A row of tokens, and the same row shifted by one: the target of each input token is "
            "the token that follows it.",
            "Tokens",
            "targets?|inputs?",
        ),
        Term(
            "prediction task",
            "Predicting the next token from all tokens up to one position; a row of T input "
            "tokens gives T tasks.",
            "Tokens",
        ),
        Term(
            "context length",
            "The maximum number of tokens that the model sees at once.",
            "Model",
            "context_length|context",
        ),
        Term(
            "window",
            "A span of the text that goes through the model as one row; in training it is as long "
            "as the context.",
            "Data",
        ),
        Term(
            "stride",
            "The number of tokens from the start of one window to the start of the next.",
            "Data",
        ),
        Term("batch", "Several windows that go through the model together.", "Data", "batches"),
        Term(
            "tensor",
            "An array of numbers with any number of dimensions; its shape gives the size of each "
            "dimension.",
            "Tokens",
        ),
    ),
    "The model": (
        Term(
            "GPT",
            "A generative pretrained transformer: a model that gives each token of the vocabulary "
            "a score for coming next after the tokens so far.",
            "Model",
        ),
        Term(
            "parameters",
            "The numbers that a model learns, together also called its weights.",
            "Model",
            "parameter|weights?",
        ),
        Term(
            "embedding",
            "A vector of numbers that represents a token, or its position in the window.",
            "Model",
            "emb_dim",
        ),
        Term(
            "transformer block",
            "The unit that is stacked n_layers times: attention, which mixes the tokens' vectors, "
            "then a feed-forward network, which processes each token separately.",
            "Model",
            "n_layers|layers?",
        ),
        Term(
            "attention",
            "How each token's vector takes in the vectors of the tokens up to it, weighted by how "
            "well its query matches their keys.",
            "Model",
        ),
        Term(
            "head",
            "One of several attentions computed side by side, each with its own queries, keys and "
            "values, made from the whole vector; the output head is something else, the matrix "
            "that computes the logits.",
            "Model",
            "n_heads|heads",
        ),
        Term(
            "layer norm",
            "A layer that brings a token's vector to mean 0 and variance 1, then scales and "
            "shifts it by learnt amounts.",
            "Model",
        ),
        Term(
            "residual connection",
            "What a block computes is added to what enters it, so that gradients pass through.",
            "Model",
            "residuals?",
        ),
        Term(
            "rotary positions",
            "Turning queries and keys by their positions, so that attention sees distances.",
            "Model",
            "rotary",
        ),
        Term(
            "tied head",
            "An output head that is the token embedding itself, as in GPT-2: one table, not two.",
            "Model",
            "tied_head|tied",
        ),
        Term(
            "initialization",
            "Drawing the first weights at random; their size decides how a training begins.",
            "Model",
        ),
        Term(
            "GELU",
            "The smooth activation function between the two matrices of the feed-forward network.",
            "Model",
        ),
        Term(
            "dropout",
            "During training, a given fraction of the numbers, chosen at random, is set to 0 and "
            "the others are scaled up, so that the model does not rely on any single one.",
            "Model",
            "drop_rate",
        ),
        Term(
            "logits",
            "The model's scores, one for each token of the vocabulary, of any size and sign.",
            "Loss",
        ),
        Term(
            "softmax",
            "The function that turns scores into probabilities: each between 0 and 1, with a sum "
            "of 1.",
            "Loss",
        ),
        Term(
            "argmax",
            "The position of the largest number: among the probabilities, the ID of the most "
            "probable token.",
            "Loss",
        ),
    ),
    "The loss": (
        Term(
            "loss",
            "How badly the right next tokens were predicted: the negative mean of the logarithms "
            "of their probabilities, 0 if perfect.",
            "Loss",
            "losses",
        ),
        Term(
            "cross-entropy",
            "The usual name of this loss: binary for yes or no, categorical for many classes.",
            "Loss",
            "cross-entropies|cross_entropy",
        ),
        Term("nat", "The unit of a loss that is computed with natural logarithms.", "Loss", "nats"),
        Term(
            "perplexity",
            "The number of equally likely tokens among which the model seems to choose: exp(loss).",
            "Loss",
            "perplexities",
        ),
        Term(
            "uniform guess",
            "A prediction that finds all V tokens of the vocabulary equally likely: its loss is "
            "ln V, 10.825 for GPT-2's 50,257.",
            "Loss",
            "a guess among",
        ),
        Term(
            "bits per byte",
            "The loss in bits by the UTF-8 bytes of the text instead of its tokens: it compares "
            "runs with different vocabularies.",
            "Train",
        ),
        Term(
            "token accuracy",
            "The fraction of positions at which the token that the model finds most probable is "
            "the right one.",
            "Train",
        ),
        Term(
            "unigram",
            "A baseline that predicts each token by how often it occurs in the training text.",
            "Train",
        ),
        Term(
            "bigram",
            "A baseline that predicts each token by how often it follows the one before it in the "
            "training text.",
            "Train",
        ),
        Term(
            "floor",
            "The loss of the grammar that wrote a text: on average no model can predict it better.",
            "Train",
        ),
        Term(
            "entropy",
            "How unpredictable a source's texts are on average: no model's mean loss is lower.",
            "Data",
        ),
        Term(
            "exact answers",
            "The fraction of a task's problems whose answer is right in every token.",
            "Train",
            "exact_match",
        ),
        Term("one-hot", "A vector of zeros with a single 1, at the right answer.", "Loss"),
        Term(
            "training loss", "The loss on the part of the text that the model learns from.", "Train"
        ),
        Term(
            "validation loss",
            "The loss on a part of the text that the model never learns from. It tells learning "
            "from memorising, unless that part only repeats the rest.",
            "Train",
            "validation",
        ),
    ),
    "Training": (
        Term(
            "run",
            "One training, from its first step to its last, with everything recorded during it.",
            "Runs",
            "runs",
        ),
        Term("preset", "A named set of settings for a model and its training.", "Train", "presets"),
        Term(
            "step",
            "One update of all weights by the optimizer, computed from one batch or, with "
            "accumulation, from several.",
            "Train",
            "updates?|steps",
        ),
        Term(
            "epoch",
            "One pass through the training text, that is, through all its full batches.",
            "Train",
            "num_epochs",
        ),
        Term("tokens seen", "The number of tokens trained on, repetitions included.", "Train"),
        Term(
            "gradient",
            "For each weight, how strongly and in which direction the loss changes with it; "
            "updates go the other way.",
            "Train",
        ),
        Term(
            "gradient norm",
            "The length of all gradients taken as one vector; clipping scales them down to at "
            "most max_grad_norm.",
            "Train",
            "max_grad_norm|clipping",
        ),
        Term(
            "AdamW",
            "The optimizer: it computes each weight's change from running averages of its "
            "gradient and of its square, the moments.",
            "Train",
            "optimizer|moments",
        ),
        Term(
            "betas",
            "AdamW's beta1 and beta2: how much of its two running averages it keeps at each step.",
            "Train",
            "beta1|beta2",
        ),
        Term(
            "Muon",
            "An optimizer for the blocks' matrices that makes each of its updates orthogonal.",
            "Train",
        ),
        Term(
            "learning rate",
            "How far an update moves the weights; a schedule may raise it at the start (warm-up) "
            "and lower it towards the end (cosine).",
            "Train",
            "learning_rate|warm-up|cosine(?! similarity)",
        ),
        Term(
            "weight decay",
            "A steady pull of all weights towards 0, which keeps them small.",
            "Train",
            "weight_decay",
        ),
        Term(
            "evaluation",
            "A measurement of the training and the validation loss every few steps, with dropout "
            "off.",
            "Train",
            "evaluations|eval_freq|eval_iter",
        ),
        Term(
            "sample",
            "The text that the model generates after each epoch, always from the same prompt.",
            "Train",
            "samples",
        ),
        Term(
            "probe",
            "A row of text whose token probabilities are recorded at each evaluation.",
            "Train",
            "probes",
        ),
        Term(
            "memorising",
            "Learning the training text by heart, an extreme of overfitting: the training loss "
            "falls towards 0, and the validation loss, as a rule, rises again.",
            "Train",
            "by heart|copied|overfitting",
        ),
        Term(
            "seed",
            "The number from which random draws start: the same seed gives the same draws.",
            "Train",
        ),
        Term(
            "precision",
            "The number of digits used in computing: float32 has seven; bfloat16 has two to three "
            "and is faster on processors that support it.",
            "Train",
            "float32|bfloat16",
        ),
        Term(
            "checkpoint",
            "A run's weights at one step, saved on disk; a whole checkpoint also has everything "
            "needed to continue the run exactly, and is removed when the run has finished.",
            "Weights",
            "checkpoints",
        ),
        Term(
            "pretrained",
            "Already trained to predict the next token of general text, before it is put to use "
            "or trained further.",
            "Weights",
        ),
    ),
    "Writing": (
        Term("prompt", "The text that a model continues.", "Generate"),
        Term("decoding", "How the next token is chosen from the model's scores.", "Generate"),
        Term("greedy", "Always choosing the most probable token.", "Generate"),
        Term(
            "temperature",
            "The number that logits are divided by before the softmax: below 1 it makes the "
            "probabilities more unequal, above 1 more even; their order stays the same.",
            "Generate",
        ),
        Term("top-k", "Drawing only among the k most probable tokens.", "Generate"),
        Term(
            "top-p",
            "Drawing only among the fewest most probable tokens whose probabilities together "
            "reach p.",
            "Generate",
        ),
    ),
    "Inside a model": INSIDE,
}

TERMS = {term.name: term for terms in GROUPS.values() for term in terms}
