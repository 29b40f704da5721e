#!/bin/sh
# One head that takes the smaller of two numbers: what it looks at, what it copies, and its circuit.
#
# usage: min_of_two_ints.sh [FOLDER]
# time:  2 min 47 s on two cores
#
# Published: test accuracy 99.825 % for the model of the min-of-two-ints problem.
set -eu
run=${1:-runs/min-of-two-ints}

mitool train min -o "$run" --resume --check 'test_accuracy > 0.995'

# its only head looks at the smaller operand, and copies it
mitool analyze attn "$run" --overwrite \
  --check 'L0H0.attention_to_answer_operand > 0.999' --check 'L0H0.ov_top1 > 0.98'

# with another number in the smaller one's place its values carry the answer, its keys nothing
mitool patch "$run" --by-position --overwrite

# of the edges between input, head and logits those through the values are the circuit
mitool analyze circuit "$run" --holdout 0.5 --overwrite --check 'faithfulness >= 0.9'
mitool report "$run"
