"""Every query parameter and session_state key, in one place."""

RUN = "run"  # query parameter: the ID of the run that is shown
REPLAY = "replay"  # query parameter: when its replay began, in seconds since 1970
PROJECTOR = "projector"  # query parameter: whether the page is shown to a class

PRESET = "preset"  # session: name of the preset chosen in the form
TEXT = "text"  # session: name of the text chosen in the form
NEW_TEXT = "new_text"  # session: the text that was just kept, to be chosen
UPLOAD = "upload"  # session: the file uploader
UPLOADS_KEPT = "uploads_kept"  # session: how often it was emptied by keeping what was in it
UPLOADED = "uploaded"  # session: what was read of the files in the uploader
PASTED = "pasted"  # session: a text being pasted
SETTING = "setting"  # session: a field of the configuration, for a preset
MEASURED = "measured"  # session: the seconds that the last measured settings take

CODE = "code"  # session: whether the source of functions is open
OTHER_SETTINGS = "other_settings"  # session: whether the settings that are folded away are open
OWN_PROBES = "own_probes"  # session: the learner's own probes, in the form

TOKENS_TEXT = "tokens_text"  # session: the text of the Tokens page
ALLOW_SPECIAL = "allow_special"  # session: whether <|endoftext|> is the special token there
IDS_TEXT = "ids_text"  # session: the IDs to decode
WORD = "word"  # session: the word whose merges are shown
WINDOW = "window"  # session: the tokens per window
WINDOW_START = "window_start"  # session: where the window begins

MODEL_FIELD = "model_field"  # session: a field of the model that is drawn
MODEL_PRESET = "model_preset"  # session: the preset that it began from

WALK_ROWS = "walk_rows"  # session: the rows of text on the Loss page
WALK_MODEL = "walk_model"  # session: the model that answers them
WALK_LINK = "walk_link"  # session: the run that the address named when the model was chosen
WALK_STEP = "walk_step"  # session: which checkpoint of a run's
WALK_POSITION = "walk_position"  # session: the position looked at closely
SNAPSHOT = "snapshot"  # session: the step of the live run's copy that is looked at
BINARY_PROBA = "binary_proba"  # session: the probability in the two cross-entropies
BINARY_LABEL = "binary_label"  # session: the right answer there
CLASSES = "classes"  # session: the number of classes there
PROBE = "probe"  # session: the probe whose lines are shown
FOLLOWS = "follows"  # session: whether the newest evaluation is shown as they come
EVALUATION = "evaluation"  # session: the evaluation whose probes are shown

AXIS = "axis"  # session: what the losses are drawn against
HEIGHT = "height"  # session: whether losses or perplexities are drawn
SCALE = "scale"  # session: whether on a linear or a logarithmic scale
PUBLISHED = "published"  # session: the published runs that are laid under the curve
MEASURES = "measures"  # session: whether the small charts are open
START = "start"  # session: whether the form is open
QUEUE = "queue"  # session: whether the form for the queue is open
FILLED = "filled"  # session: the preset that the form was filled in with, and from which run
PROMPT = "prompt"  # session: what the live model is asked to go on from
ASKED = "asked"  # session: the text that the live model was asked for
CHOSEN = "chosen"  # session: the runs that the Runs page last showed as chosen
CHOSEN_REVISION = "chosen_revision"  # session: how often others than its table chose
CHOSEN_PART = "chosen_part"  # element: what is shown of the chosen runs (run_table.js knows it)
RUN_TABLE = "run_table"  # session: what that table answered
LINES = "lines"  # session: which losses of the chosen runs are drawn
EXPORT = "export"  # session: the form in which runs are taken away
NAME = "name"  # session: the name being given to a run
NOTE = "note"  # session: what is being noted about it
WRITE_PROMPT = "write_prompt"  # session: what the Generate page goes on from
WRITE_TOKENS = "write_tokens"  # session: how many tokens are written there
WRITE_SEED = "write_seed"  # session: the seed of their draws
WRITE_SETTINGS = "write_settings"  # session: how many settings stand side by side
WRITE_DECODING = "write_decoding"  # session: a field of one of these settings
WRITTEN = "written"  # session: the texts that are on their way or done
WRITE_CHIPS = "write_chips"  # session: the token of a text that is looked at
START_FROM = "begin_with"  # session: the weights that a new run begins with
WEIGHTS_RUN = "weights_run"  # session: the run whose checkpoints are shown
WEIGHTS_LINK = "weights_link"  # session: the run that the address named when it was chosen
WEIGHTS_UPLOAD = "weights_upload"  # session: the files of a model that is brought in
TEXT_LOSS = "text_loss"  # session: the losses of models on whole texts, measured on the Loss page
WALL_AXIS = "wall_axis"  # session: what the class's curves are drawn against
RULE = "rule"  # session: a field of the form of the class's rules
SENT_OUT = "sent_out"  # session: who is to be sent out of the class
ALL_SAMPLES = "all_samples"  # session: whether the early samples of a long run are shown too
