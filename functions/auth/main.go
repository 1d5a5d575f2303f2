// Command auth is the function that logs people in: the one that reads the key
// which signs tokens. It needs no S3.
package main

import (
	"sluice/shared/api"
	"sluice/shared/app/cloudrecords"
	"sluice/shared/edge"
)

func main() { edge.Main(cloudrecords.Open, api.Auth) }
