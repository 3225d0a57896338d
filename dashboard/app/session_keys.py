"""Every query parameter and session_state key, in one place."""

RUN = "run"  # query parameter: the ID of the run that is shown
REPLAY = "replay"  # query parameter: where its replay is (dashboard/train/replay.py)
SHOWS_PRIVATE = "shows_private"  # session: whether the teacher's pages show private texts
PROJECTOR = "projector"  # query parameter: whether the page is shown to a class

PRESET = "preset"  # session: name of the preset chosen in the form
TIME = "time"  # session: the time that the settings should fit, instead of a preset
TOO_FEW_PAIRS = "too_few_pairs"  # session: texts, and sizes for which they give too few byte pairs
TEXT = "text"  # session: name of the text chosen in the form
NEW_TEXT = "new_text"  # session: the text that was just saved, to be chosen
UPLOAD = "upload"  # session: the file uploader
UPLOADS_KEPT = "uploads_kept"  # session: how often it was emptied by saving its text
UPLOADED = "uploaded"  # session: the texts read from the files in the uploader
UPLOADS_SHOWN = (
    "uploads_shown"  # session: IDs of the files in the page's uploader; None without one
)
PASTED = "pasted"  # session: the pasted text
GENERATED = "generated"  # the kind of text that is to be written
GRAMMAR = "grammar"  # whether the rules of the grammar are shown
SETTING = "setting"  # session: a field of the configuration, for a preset
MEASURED = "measured_time"  # session: the last measured run, its seconds, those counted for it

CODE = "code"  # session: whether the source of functions is open
OTHER_SETTINGS = "other_settings"  # session: whether the panel of the other settings is open
OWN_PROBES = "own_probes"  # session: the learner's own probes, in the form

TOKENS_TEXT = "tokens_text"  # session: the text of the Tokens page
ALLOW_SPECIAL = "allow_special"  # session: whether <|endoftext|> is the special token there
IDS_TEXT = "ids_text"  # session: the IDs to decode
WORD = "word"  # session: the word whose merges are shown
MERGES = "merges_learnt"  # session: the place among the merges of the chosen text
LEARNT = "learnt_merges"  # session: the vocabulary that was learnt from it
WINDOW = "window"  # session: the tokens per window
WINDOW_START = "window_start"  # session: the first token of the window

MODEL_FIELD = "model_field"  # session: a field of the model that is drawn
BEYOND_FIELDS = "beyond_fields"  # session: whether those beyond the chapter are unfolded
MODEL_PRESET = "model_preset"  # session: the preset that it started from

WALK_ROWS = "walk_rows"  # session: the rows of text on the Loss page
WALK_MODEL = "walk_model"  # session: the model that predicts them
WALK_LINK = "walk_link"  # session: the run in the URL when the model was chosen
WALK_STEP = "walk_step"  # session: the checkpoint of the chosen run
WALK_POSITION = "walk_position"  # session: the position that is shown in detail
SNAPSHOT = "snapshot"  # session: the step of the copy of a live run that is shown
BINARY_PROBA = "binary_proba"  # session: the probability in the two cross-entropies
BINARY_LABEL = "binary_label"  # session: the right answer there
CLASSES = "classes"  # session: the number of classes there
PROBE = "probe"  # session: the probe whose lines are shown
FOLLOWS = "follows"  # session: whether the newest evaluation is always shown
EVALUATION = "evaluation"  # session: the evaluation whose probes are shown

AXIS = "axis"  # session: what the losses are drawn against
HEIGHT = "height"  # session: whether losses or perplexities are drawn
SCALE = "scale"  # session: whether the scale is linear or logarithmic
PUBLISHED = "published"  # session: the published runs drawn under the curve
CURVE_AND_SAMPLE = "curve_and_sample"  # element: both, for look.css
MEASURES = "measures"  # session: whether the small charts are open
SPEED = "speed"  # session: how fast a run is replayed
START = "start"  # session: whether the form is open
QUEUE = "queue"  # session: whether the form for the queue is open
SETTINGS = "settings"  # session: whether the settings of the run are open
FILLED = "filled"  # session: the preset that the form was filled with, and the run it came from
PROMPT = "prompt"  # session: the prompt for the live model
ASKED = "asked"  # session: the text requested from the live model
CHOSEN = "chosen"  # session: the runs that the Runs page last showed as chosen
CHOSEN_REVISION = "chosen_revision"  # session: how often something other than its table chose
CHOSEN_PART = "chosen_part"  # element: the part about the chosen runs (run_table.js uses it)
RUN_TABLE = "run_table"  # session: the answer of that table
LINES = "lines"  # session: which losses of the chosen runs are drawn
EXPORT = "export"  # session: the format in which runs are exported
NAME = "name"  # session: the name being given to a run
NOTE = "note"  # session: the note being written about it
NINE_WORDS = "nine_words"  # session: a setting of the nine words on the Generate page
WRITE_PROMPT = "write_prompt"  # session: the prompt on the Generate page
WRITE_TOKENS = "write_tokens"  # session: the number of tokens generated there
WRITE_SEED = "write_seed"  # session: the seed of the draws there
WRITE_SETTINGS = "write_settings"  # session: the number of settings compared side by side
WRITE_DECODING = "write_decoding"  # session: a field of one of these settings
WRITTEN = "written"  # session: the texts that are being generated or done
WRITE_CHIPS = "write_chips"  # session: the selected token of a text
START_FROM = "begin_with"  # session: the weights that a new run starts from
WEIGHTS_RUN = "weights_run"  # session: the run whose checkpoints are shown
WEIGHTS_LINK = "weights_link"  # session: the run in the URL when it was chosen
CHECKPOINT = "checkpoint"  # session: the ID of the checkpoint chosen there
CHECKPOINTS = "checkpoints"  # session: the table of checkpoints
WEIGHTS_UPLOAD = "weights_upload"  # session: the files of an uploaded model
TEXT_LOSS = "text_loss"  # session: the losses of models on whole texts, measured on the Loss page
WALL_AXIS = "wall_axis"  # session: what the class's curves are drawn against
PRIVATE_SAMPLES = "private_samples"  # session: whether the class's private samples are open
RULE = "rule"  # session: a field of the form of the class's rules
SENT_OUT = "sent_out"  # session: the member to be sent out of the class
REJOINING = "rejoining"  # session: the member who gets a new rejoin code
REJOIN_CODE = "rejoin_code"  # session: the member and the code that was issued last
ALL_SAMPLES = "all_samples"  # session: whether the early samples of a long run are shown too

INSIDE_MOMENT = "moment"  # query parameter: the recorded step that the part Time shows
INSIDE_PLAYS = "inside_plays"  # session: the recorded step that it is at while it plays
INSIDE_HABIT = "inside_habit"  # session: the habit of heads that is drawn over the steps
INSIDE_VALUES = (
    "inside_values"  # session: whose histograms are drawn: of weights, gradients, updates
)
INSIDE_ONE_HEAD = "inside_one_head"  # session: the head whose attention is large there
INSIDE_ONE_TOKEN = "inside_one_token"  # session: the position whose row is lit there  # noqa: S105
INSIDE_MOMENT_MAPS = "inside_moment_maps"  # session: the answers of the heads' maps there
INSIDE_TEXT = "inside_text"  # session: the text of the Inside page
INSIDE_BEGAN = "inside_began"  # session: the text that the page proposed
INSIDE_TOKEN = "inside_token"  # session: the position of the token chosen there  # noqa: S105
INSIDE_CHIPS = "inside_chips"  # session: the chips among which it is chosen
INSIDE_LINK = "inside_link"  # session: the address of the page when it was drawn last
INSIDE_OFF = "inside_off"  # session: the parts that are switched off
INSIDE_REPLACEMENT = "inside_replacement"  # session: what stands in their place
INSIDE_COLUMN = "inside_column"  # session: the answers of the drawing of the model
INSIDE_HEAD = "inside_head"  # session: the chosen attention head, (layer, head)
INSIDE_ASKED = "inside_asked"  # session: whether it was just asked for in another part
INSIDE_MAPS = "inside_maps"  # session: the answers of the heads' maps
INSIDE_NUMBERS = "inside_numbers"  # session: whether a row of a head is open in numbers
INSIDE_COMPARES = "inside_compares"  # session: whether a second model is beside the first
INSIDE_LENS = "inside_lens"  # session: the answers of the lens's table
INSIDE_SECOND = "-second"  # slot of the choice of that model
INSIDE_RESULTS = "inside_results"  # session: what was computed of models there, for the next draw
INSIDE_SOURCE = "inside_source"  # session: which whole text is coloured
INSIDE_PART = "inside_part"  # session: its training or its validation part
INSIDE_LENGTH = "inside_length"  # session: how many of its tokens
INSIDE_START = "inside_start"  # session: the first of them
INSIDE_COUNTS = "inside_counts"  # session: how often tokens occur in the text chosen last
INSIDE_COMPARED = "inside_compared"  # session: whether two models are compared on it
INSIDE_OTHER = "-compared"  # slot of the choice of the second of them
INSIDE_COLOURED = "inside_coloured"  # session: the coloured text; the token that was picked
INSIDE_TAKEN = "inside_taken"  # session: whether a token was just taken into the page's text
INSIDE_WORST = "inside_worst"  # session: the list of its worst tokens
INSIDE_WORDS = "inside_words"  # session: the words that are added to the map
INSIDE_WORD = "inside_word"  # session: the ID of the selected one
INSIDE_MAP = "inside_map"  # session: the map; the word that was picked
INSIDE_NEAR = "inside_near"  # session: the selected word's neighbours
INSIDE_PATHS = "inside_paths"  # session: whether words' paths over the run are drawn
