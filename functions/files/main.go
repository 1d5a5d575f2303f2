// Command files is the function for uploads, listings and all that is known of
// files.
package main

import (
	"sluice/shared/api"
	"sluice/shared/app/cloudfiles"
	"sluice/shared/edge"
)

func main() { edge.Main(cloudfiles.Open, api.Files) }
