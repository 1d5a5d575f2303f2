// Command janitor is the function that removes what is due, and has the queue go
// on with what was left lying. A schedule runs it.
package main

import (
	"sluice/shared/api"
	"sluice/shared/app/cloudfiles"
	"sluice/shared/edge"
)

func main() { edge.Events(cloudfiles.Open, func(d api.Deps) edge.Handle { return d.Janitor.Handle }) }
