// Package registry gets schemas by their numbers: from a schema registry over
// HTTP, or from a folder of files where there is none.
//
// A [Client] asks registries that speak the API of Confluent's, as those of
// Redpanda, Karapace and Apicurio do. A [Files] has what a folder had when it was
// made. Both are a [codecs.Registry].
//
// # A registry that is away
//
// How a message is counted must be the same for ever and for every tier. So a
// registry that is away, slow or broken never changes the answer, only when it is
// given: Schema returns an error and whoever counts waits in front of the message.
// To fall back instead, on the record timestamp or on a guess, would put the
// message into one window today and into another one when the registry is back,
// or into different windows at two tiers, and the audit would report a loss that
// never was.
//
// A number that the registry does not know is such an error as well, because the
// schema may yet be there: it may be restored, or the node that was asked may lag
// behind. Only the operator can say that waiting is over: see [Missing].
//
// # What never changes
//
// Registries give each schema a number of its own and never another schema to
// that number. So a Client asks for each number until it has the schema, once,
// and keeps it.
package registry
