// Package audittest holds one suite that all adapters of the audit library pass, each
// with its client, on the embedded broker and on Apache Kafka. It is a module of its
// own because it needs all of them, and nobody else should.
package audittest
