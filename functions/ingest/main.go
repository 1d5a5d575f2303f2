// Command ingest is the function that runs the jobs of the queue, and takes what
// S3 tells of its objects.
package main

import (
	"sluice/shared/api"
	"sluice/shared/app/cloudfiles"
	"sluice/shared/edge"
	"sluice/shared/ingest"
)

func main() {
	edge.Events(cloudfiles.Open, func(d api.Deps) edge.Handle {
		return (&ingest.Handler{Uploads: d.Uploads, Log: d.Log}).Handle
	})
}
