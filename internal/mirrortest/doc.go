// Package mirrortest holds a test only: two regional clusters of Apache Kafka, an
// aggregate that MirrorMaker 2 fills, and chaperone that counts all three.
package mirrortest
