package main

func avroContests() []contest { return nil }
