// Command download is the function that delivers.
package main

import (
	"sluice/shared/api"
	"sluice/shared/app/cloudfiles"
	"sluice/shared/edge"
)

func main() { edge.Main(cloudfiles.Open, api.Download) }
