// Package api answers over HTTP: counts, sources, health, metrics. It takes what
// applications that have no Kafka client report of their own counting.
//
// Whatever it says is described in openapi.yaml, which it serves too, and is a
// type of package v1; package client asks it from Go. Every error is a problem
// document (RFC 9457) with a code for programs and what to do for people.
//
// It decides nothing about windows: it reads parameters, asks what Options names,
// and writes answers.
package api
