// Package fileblob keeps blobs as files in a directory of a local disk.
//
// # Layout
//
//	lock                  held by the one process that has the store open
//	tmp/<random>.partial  blobs being written
//	uploads/<hash>/       a blob being sent in parts, see below
//	objects/<xx>/<hash>   blobs: hash is the SHA-256 of the key, in lower-case
//	                      hex, and xx its first two digits
//
// No byte of a key reaches the file system. So every key fits every one of
// them, whether it ignores case or rewrites Unicode, "a" and "a/b" live side
// by side, and no directory comes or goes with a key. To find a blob by hand:
// printf %s "$key" | sha256sum.
//
// Everything is reached through an os.Root: a symbolic link that leads out of
// the directory is an error. A blob that is itself a link is one, wherever it
// leads. The directory must be on one file system, with
// hard links.
//
// # Durability
//
// A blob is written to tmp/, synced, linked to its name, which fails where the
// name is taken, and the directory is synced; then Commit returns. So a file
// in objects/ is whole at all times. What a crash leaves in tmp/ is removed by
// the next Open.
//
// # Parts
//
// A blob that is sent in parts has a directory until it is complete or aborted:
//
//	parts       a journal: a header, then a line for each part that is durable
//	data        a sparse file with each part at its offset
//	<n>-<random> a part that came while another one had, or was taking, its place
//	whole       what data is called once no part may change
//
// A part is written, synced, and then added to the journal, which is synced; so
// the journal is the one truth of what arrived, and a part that breaks off, even
// one that was to replace another, has changed nothing. To complete is to copy
// the few parts that are not in data to their places, sync, rename data to
// whole, and link it to its name. Nothing is copied twice where every part came
// once.
//
// # Space
//
// A store leaves Options.Reserve bytes of its file system free. The bytes that
// running writers have announced but not yet written count as used.
//
// Blobs have no entity tag: keys are never reused, so that the key itself pins
// the bytes.
package fileblob
