// Package nobody runs the tests of a package again as a user without rights:
// permissions do not hold root back.
package nobody
