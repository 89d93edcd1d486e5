// Package produce is a load generator that knows the truth: it writes messages
// that look like real ones to Kafka and keeps, per partition and window, how
// many it wrote, so that an audit can be checked against it.
//
// A [Generator] makes messages (shape.go), sends them at a rate (generator.go)
// and adds each to the truth (truth.go) when Kafka has acknowledged it.
// [Recount] is the other source of truth: it reads whole topics and counts
// them anew, sharing no code with the codecs and the counter.
package produce
