#!/usr/bin/env bash
# LocalStack runs this inside its container once it is ready. It makes what
# `sluice admin init` finds: the bucket and the tables. The rest, the first admin
# too, is for `sluice admin init`, which also mends what is not as it should be.
set -euo pipefail

awslocal s3api head-bucket --bucket sluice >/dev/null 2>&1 || awslocal s3 mb s3://sluice

for table in sluice sluice-hot; do
	if awslocal dynamodb describe-table --table-name "$table" >/dev/null 2>&1; then continue; fi
	awslocal dynamodb create-table --table-name "$table" --billing-mode PAY_PER_REQUEST \
		--attribute-definitions AttributeName=pk,AttributeType=S AttributeName=sk,AttributeType=S \
		--key-schema AttributeName=pk,KeyType=HASH AttributeName=sk,KeyType=RANGE >/dev/null
	awslocal dynamodb wait table-exists --table-name "$table"
	awslocal dynamodb update-time-to-live --table-name "$table" \
		--time-to-live-specification Enabled=true,AttributeName=ttl >/dev/null
done
