// Package scenario plays scripts about what happens to a pipeline and to
// chaperone, and prints what a user would see.
package scenario
