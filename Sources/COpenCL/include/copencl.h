#ifndef COPENCL_H
#define COPENCL_H
#endif
