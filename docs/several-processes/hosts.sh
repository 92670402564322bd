#!/bin/bash
# Two hosts without a scheduler: run this on each, with its number and the same token.
#   bash hosts.sh 0 my-long-secret     on the first host
#   bash hosts.sh 1 my-long-secret     on the second
export RANK=$1
export WORLD_SIZE=2
export LOCAL_RANK=0
export MASTER_ADDR=first-host.example.com
export MASTER_PORT=29500
export THAW_TOKEN=$2

npx thaw train thaw.config.yaml --wait 300
