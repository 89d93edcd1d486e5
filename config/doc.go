// Package config is what a user can set, and where it is set.
//
// [Default] is complete and audits out of the box. [Load] lays over it, in this
// order, a file, the environment and flags; each may set any key and need set
// none. Whatever is wrong anywhere is reported together, as an [Invalid]: a user
// corrects a file once and not problem by problem.
//
// A key is the path of a value, such as audit.session_timeout or
// clusters[0].sasl.user. In the environment it is CHAPERONE_ and the same in
// capitals, with _ between parts: CHAPERONE_AUDIT_SESSION_TIMEOUT,
// CHAPERONE_CLUSTERS_0_SASL_USER.
//
// Files: config.go has the keys, default.go and chaperone.yml their defaults,
// validate.go their bounds; file.go and overlay.go read them, fields.go finds
// them by name; kafka.go and sarama.go are about connections.
package config
