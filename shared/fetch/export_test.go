package fetch

// Pipes returns how many of a client's buffers have a pipe. Its transfers must
// have ended.
func (c *Client) Pipes() int {
	n := 0
	for _, buf := range c.buffers.free {
		if buf.pipe != nil && c.buffers.usePipes() {
			n++
		}
	}
	return n
}
