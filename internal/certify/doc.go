// Package certify makes a statement of how complete a topic was on a day, and checks such
// statements without asking anybody.
//
//	verdicts, records ──► Make ──► Statement, a JSON file ──► Check: does it hold?
//
// A statement has the verdict of each window and the records that it rests on, of each
// its identity, version, uuid, count and fingerprint. Its digest is the SHA-256 of all of
// that, line by line: whoever notes the digest can tell later whether the statement is
// the same. Check recomputes the digest, the uuids, and from the records the counts and
// fingerprints of each tier, which have to be those of the verdicts.
//
// A digest proves that nothing was changed since it was noted, not who made it: keep it
// apart from the file, or sign the file.
package certify
