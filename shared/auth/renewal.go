package auth

// Renewal is asked when a key is named that is not known: keys are rotated while
// a program runs, and this one may be new. It reports whether it looked for new
// keys; those that it found it has put in place then. Many may ask at once, and
// strangers can make them ask: it must bound how often it looks.
type Renewal func() bool

// ask asks, where there is somebody to ask.
func (r Renewal) ask() bool { return r != nil && r() }
