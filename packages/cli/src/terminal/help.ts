/** Texts below the options of `--help`. */
const CONFIG_NOTE = `
Without [config], the file is searched from here up to the project's root: thaw.config.ts, .js, .mjs, .yaml, .yml or
.json, .thawrc, or the "thaw" entry of package.json.`;

export const TOP_HELP = `
A first config (thaw.config.yaml):
  model: ./llava-tiny                          # a Hugging Face checkpoint folder
  data: { train: ./train.jsonl }               # or iconify:noto
  freeze: { train_mm_proj_only: true }         # everything frozen but the projector
  training: { epochs: 1, learning_rate: 1e-3 }
  backend: auto
  seed: 42

Examples:
  thaw init                                    write that config: asks for each of these
  thaw check                                   what contradicts what, in a second
  thaw plan                                    what trains, what is frozen, and why
  thaw train --set training.epochs=3           train; Ctrl-C saves a checkpoint
  thaw train --live                            watch it in a browser
  thaw train --processes 2
  thaw train --resume runs/run-20250101-120000
  thaw evaluate runs/run-20250101-120000 --data iconify:twemoji
  thaw caption cat.png --model runs/run-20250101-120000
  thaw chat --model runs/run-20250101-120000 --image cat.png

Exit codes: 0 done, 1 findings or errors, 2 wrong use, 130 stopped by Ctrl-C (129 by SIGHUP,
143 by SIGTERM).`;

export const INIT_HELP = `
Reads the checkpoint's headers and the first samples of the data to suggest sizes and learning rates, writes a
commented config and checks it. Nothing is overwritten. Off a terminal nothing is asked.

Examples:
  thaw init
  thaw init --model ./llava-tiny --data ./train.jsonl --train projector --yes
  thaw init --model org/name --data hub:org/set --train lora --output stage2.yaml`;

export const TRAIN_HELP = `${CONFIG_NOTE}

The first Ctrl-C finishes the step, saves a checkpoint and says how to resume; a second one ends at once.

With --processes a step has the samples of all processes: 2 processes with micro-batches of 4 train as one with
micro-batches of 8. Under torchrun, mpirun and srun each process finds its place: docs/several-processes.md.

Examples:
  thaw train
  thaw train my.yaml --set training.max_steps=50 --set backend=wasm
  thaw train --resume runs/run-20250101-120000
  thaw train --json | jq -c 'select(.event == "step")'`;

export const EVALUATE_HELP = `
An Iconify sample is a visible icon without skin tones; its caption is the name with spaces. Names that the training
set does not have are counted, not scored, unless --concepts all. A bare checkpoint needs --baseline-data for
baselines.

Examples:
  thaw evaluate runs/run-20250101-120000 --data iconify:twemoji
  thaw evaluate ./checkpoint --data iconify:twemoji --baseline-data iconify:noto --concepts seen --json`;

export const EXPORT_HELP = `
The folder gets config, tokenizer and processor files and all weights: transformers reads it, Thaw is not needed. A
run's own "final" folder holds only what trained. One checkpoint of a run is named by its folder.

Examples:
  thaw export runs/run-20250101-120000 ./trained
  thaw export runs/run-20250101-120000/checkpoints/step-500 ./trained --dtype bf16`;

export const PUSH_HELP = `
A run with adapters is pushed as adapters (PEFT), any other one as a whole checkpoint; a folder as it is. The card says
what was trained from what, with which data, what was frozen, and how it was measured. HF_TOKEN must be set to a token
that may write.

Examples:
  thaw push runs/run-20250101-120000 org/name --private
  thaw push runs/run-20250101-120000 org/name --dry-run`;

export const TRACK_HELP = `
A run whose tracker could not reach its server goes on, and writes down what it had to say. --trust lets the run's own
config name the environment variables that hold tokens. Ends with 1 where something still waits.

Examples:
  thaw track runs/run-20250101-120000`;

export const PLAN_HELP = `${CONFIG_NOTE}
Only "model" is needed. No weight is read and no backend is loaded, but with --dry-run.

Examples:
  thaw plan
  thaw plan --dry-run                          some real steps: memory and time of the whole run
  thaw plan my.yaml --at-step 500
  thaw plan --diff stage1.yaml
  thaw plan --set freeze.freeze_language_model=true --json`;

export const CHECK_HELP = `${CONFIG_NOTE} Only "model" is needed. All findings come at once, also those of
the data's paths and first samples; the exit code is 1 if one of them is an error. [config] may also be a LLaMA-Factory
config, or ms-swift arguments (a script, a list of words, or a file of keys): the same rules in their words.

Examples:
  thaw check
  thaw check my.yaml --json
  thaw check --data                            every sample: roles, lengths, pictures' headers
  thaw check --fix
  thaw check llama_factory_sft.yaml
  thaw check --sarif > thaw.sarif`;

export const WHY_HELP = `
Examples:
  thaw why language_model
  thaw why multi_modal_projector.linear_1.weight
  thaw why layers.1 --config my.yaml
  thaw why freeze_vision_tower --json`;

export const CONVERT_HELP = `
Every value of the new config says where it came from; what has no counterpart is listed in it.

Examples:
  thaw convert llama_factory_sft.yaml
  thaw convert train_swift.sh --output thaw.config.yaml`;

export const CAPTION_HELP = `
Examples:
  thaw caption cat.png --model runs/run-20250101-120000
  thaw caption rain.wav wind.mp3 --model ./checkpoint --prompt "What is that sound?"
  thaw caption *.png --model ./checkpoint --prompt "What is this?" --json
  thaw caption cat.png --model ./checkpoint --temperature 0.7 --top-p 0.9 --seed 1`;

export const CHAT_HELP = `
Each line is a question, typed or piped in; answers are written as they come. Lines that are commands:
  /image PATH     the next question shows this picture; several show several
  /audio PATH     the same for a sound, where the model reads them
  /reset          forget what was said and shown
  /quit           end the chat; so does Ctrl-D
Ctrl-C ends the answer that is being written, else the chat. What cannot be used is told, and the chat goes on.

Examples:
  thaw chat --model ./checkpoint --image cat.png
  thaw chat --model ./checkpoint --system "Answer in one word." --temperature 0.7 --top-p 0.9
  printf '/image cat.png\nWhat is this?\nAnd its colour?\n' | thaw chat --model ./checkpoint --json`;

export const REPORT_HELP = `
The page is report.html in the run's folder: one file, without outside resources. thaw train writes it by itself.

Examples:
  thaw report runs/run-20250101-120000`;

export const RUNS_HELP = `
Without [folder]: the folder runs. Stages of a staged run are listed one by one.

Examples:
  thaw runs
  thaw runs elsewhere/runs --json`;

export const COMPARE_HELP = `
Examples:
  thaw compare runs/run-20250101-120000 runs/run-20250102-090000`;

export const CONFIG_HELP = `${CONFIG_NOTE}

Examples:
  thaw config --print
  thaw config --schema > thaw.schema.json      then, in YAML: # yaml-language-server: $schema=./thaw.schema.json`;

export const COMPLETION_HELP = `
The script knows the commands of the plugins that the config here names: make it anew where these change.

Examples:
  source <(thaw completion bash)               in ~/.bashrc
  thaw completion bash > ~/.local/share/bash-completion/completions/thaw
  thaw completion zsh > "\${fpath[1]}/_thaw"
  thaw completion fish > ~/.config/fish/completions/thaw.fish`;
