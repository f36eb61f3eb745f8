// No fault at all.
#include "launcher.hpp"

FAULTY_PLUGIN(faulty::Steps)
