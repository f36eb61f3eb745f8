#include "hostmesh/shape/ranked_text.hpp"
#include "hostmesh/shape/status.hpp"
