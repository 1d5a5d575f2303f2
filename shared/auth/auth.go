// Package auth answers three questions without asking anybody: who is it
// (passwords, tokens), what may they do (May), and did we make this text
// (Ring). It does no I/O but reading crypto/rand, and is given its clock.
//
// What it cannot know is whether a login was revoked or a user disabled. That
// is in the records: whoever accepts a token also asks for its login there.
package auth
