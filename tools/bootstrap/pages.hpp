// The memory that every child comes by, mapped in a few calls instead of one page fault for each page.
//
// A page fault costs about 1 us on bare metal and up to 9 us in a virtual machine; of the pages that one call
// maps each costs a twentieth of that. What is mapped and not used costs a third of a fault, so these are the
// pages that a child is known to use, and no more. Nothing is lost where the kernel (before 5.14) does not
// know the calls.
#pragma once

namespace hostmesh {

// For the start of main, where it is not a forked child. The entry point of this program (pages.cpp) has
// mapped the code and the data by then, before they were relocated; this maps the next pages of the heap and
// of the stack.
void map_pages();
// The same for the first moment in a forked child, which has inherited none of the code's mappings and shares
// its data with the server.
void map_forked_pages();
// The same for the server after a fork, which has to have a copy of each page that it writes to.
void map_server_pages();

}  // namespace hostmesh
