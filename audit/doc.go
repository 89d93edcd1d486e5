// Package audit is the vocabulary of the completeness audit: what is counted,
// where, over which interval, and how it is written down.
//
// A pipeline has tiers, points that messages pass. At each tier sources count:
// a partition of a Kafka topic, or an instance of an application. A source
// keeps a [Tally] for each [Window], a tumbling interval of event time, and
// says what it has as a [Record].
//
// A Record is cumulative. It states everything its source has counted in the
// window so far, under an [Identity] and a Version; it never states a
// difference. So Records may be lost after a newer one, repeated, delayed and
// reordered, and whoever keeps the highest Version of each Identity is right.
// What a window holds at a source is the sum over its segments and generations.
//
// The promise that this rests on: the content of a Record is a function of the
// source's log, the Identity and the Version alone. Nothing here reads a clock.
package audit
