package torture

var brokerFaults = []*Fault{}

var networkFaults = []*Fault{}
