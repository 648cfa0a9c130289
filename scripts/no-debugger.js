// Imported first by the daemon. Node answers SIGUSR1 by opening its debugger on a port of the loopback interface, where every user
// of the machine could run code in this process. A listener takes the signal away from it (Node's documentation, "Signal events");
// `--disable-sigusr1`, which newer releases have, would have to be on the command line.
process.on('SIGUSR1', () => {})
