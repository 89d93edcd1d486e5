// Package scenario plays scripts: what happens to a pipeline and to chaperone
// goes in, the table that a user would see comes out.
//
//	# A redelivery after a rebalance is reported, not hidden.
//	tier edge
//	tier core
//	produce orders n=100 at=10:00..10:10
//	copy orders edge -> core duplicate=7
//	advance 15m
//	----
//	orders  edge  core  core-edge
//	10:00    100   107         +7
//
// The scripts are in testdata/scenarios. They are read by people: whoever
// changes what chaperone says runs `go test ./internal/scenario -rewrite` and
// sends the diff along. The parts that decide are the real ones: codecs, counter,
// records as they are written and read, collecting machine, query. What they are
// joined by is played here, without Kafka, without a clock, and so that the same
// script gives the same output for ever.
//
// # The form
//
// A line is a command; "#" begins a comment. Commands up to a line "----" are a
// block, and what follows, up to an empty line, is what they show: what show
// commands among them ask for, else the table. Nothing happens by itself: only
// advance, and what is written, makes a processor do its work. Both processors
// run at the beginning; it is 10:00.
//
// # What is configured
//
//	clock TIME
//	window DURATION
//	segment WINDOWS
//	horizon DURATION
//	tier NAME [dc=NAME] [stamps=create|append]
//	topic NAME [partitions=3] [codec=json|record|undeclared] [from=TIME] [past=7d] [future=1h]
//	begin earliest|latest|TIME
//	pipeline TIERS [grace=2m] [late=1h] [gone=15m] [bypassed=NONE] [allow=NONE] [because=NONE]
//
// The size of windows; how many of them a segment of the log holds; how long the
// views keep a window. A tier is a Kafka cluster; one in several datacenters is
// several, and called regional/west. stamps=append is LogAppendTime. A topic is
// made where messages come to it; topic says how, and if it is there already,
// with which codec and bounds counting instances read it that begin later; with
// from, messages with such a record timestamp or a later one. begin says where
// counting begins, before it does.
//
// # What happens to the pipeline
//
//	produce TOPIC [tier=FIRST] [n=1] [at=FROM..TO] [latency=D..D] [sent=FROM..TO] [size=100]
//		[untimed=0] [malformed=0] [tombstones=0] [keys=N] [partition=P] [transaction=commit|abort|open]
//		[via=APP] [swallowed=0] [unanswered=0]
//	copy TOPIC FROM -> TO [n=ALL] [lose=0] [duplicate=0] [alter=0] [delay=0s]
//	original TOPIC tier=NAME [dc=NAME] [n=1] [at=TIME] [uuid=ANY] [times=1]
//	end TOPIC commit|abort [tier=FIRST]
//	app NAME start|end|vanish [tier=NAME] [dc=NAME]
//	retention TOPIC [tier=FIRST] [drop=ALL]
//	truncate TOPIC [tier=FIRST] [drop=ALL]
//	compact TOPIC [tier=FIRST]
//	delete TOPIC [tier=FIRST]
//	recreate TOPIC [tier=FIRST]
//	partitions TOPIC N [tier=FIRST]
//
// produce spreads event times over a time. Record timestamps are later by the
// latency, or as sent says (sent=never: there are none). Of keys there are as
// many as messages, or N. copy carries on what it has not copied yet, and keeps
// record timestamps. Among its messages, and those of produce, a number chooses
// so many, spread evenly; a range such as 11..15 those, counted from 1. original
// reports a count as a client of the original Chaperone does. retention drops
// the oldest messages, truncate the newest. end ends the open transactions. An
// app is an application instance that counts the messages that go via it and
// reports: those swallowed are acknowledged and not in the log, those unanswered
// are in the log and not acknowledged. The clock is never behind a message.
//
// # What happens to chaperone
//
//	count [n=ALL] [tier=ALL]
//	flush
//	collect
//	rebalance
//	stop count|collect
//	start count|collect
//	crash count|collect [after=table|rows|ledger]
//	pause count [after=table|rows|ledger]
//	wake count [n=ALL]
//	advance DURATION
//
// count reads so many messages of each source, flush stores what was counted,
// collect brings the records into the table; advance lets time pass, and does all
// of it. rebalance hands the sources over in order; crash does not. An instance
// can be struck in the middle of a flush: after its rows are in the table, after
// their records are on the audit topic too, after the ledger. One that is paused
// has not noticed that it lost its sources, and goes on where it was when it
// wakes up; start lets another one take over.
//
// # What is shown
//
//	show [table|datacenters|detail|partitions|sources|stored|history|verdicts]
//
// The table has a line for each window and a column for each tier, "-" where
// nothing is known. Between two tiers stands how many messages the second one has
// more; "same" if they are the same messages; "0, others" if there are as many,
// and the fingerprints differ. Notes follow. datacenters tells these apart, detail
// adds bytes and latencies, partitions offsets; sources is the progress of
// counting, stored the size of its table; history is what a store would say.
// verdicts is what was judged, with its findings, and up to when all is settled.
//
// # Properties
//
// There are things that must not matter ([Properties]). The tests play every
// scenario again and again while they happen at random, and wherever it comes to
// rest the same must be known (more of it: -run TestProperties -seeds 300). Where
// that cannot be, the scenario says so:
//
//	except PROPERTY, PROPERTY: the reason
package scenario
